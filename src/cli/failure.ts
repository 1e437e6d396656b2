import { CancelledError, OamError } from '../domain/errors.ts';
import type { Redactor } from '../domain/redaction.ts';
import { ControlPlaneError } from '../protocol/client.ts';

/** The command was not understood: exit code 2. */
export class UsageError extends OamError {
  constructor(sentence: string, detail?: string) {
    super('usage', sentence, detail === undefined ? {} : { detail });
    this.name = 'UsageError';
  }
}

/** A program that `oam exec` was to run could not be started: exit code 127 (not found) or 126. */
export class NotStartedError extends OamError {
  readonly exitCode: 126 | 127;

  constructor(exitCode: 126 | 127, sentence: string, detail: string) {
    super('not_started', sentence, { detail });
    this.name = 'NotStartedError';
    this.exitCode = exitCode;
  }
}

/** What to do about a failure at a command line, where the sentence cannot know it. */
const NEXT_STEPS: Readonly<Record<string, string>> = {
  not_signed_in: 'Sign in with: oam login',
  session_expired: 'Sign in with: oam login',
  session_over_limit: 'Sign in with: oam login',
  databricks_sign_in_needed: 'Sign in with: oam login',
  sign_in_again: 'Sign in with: oam login',
  wrong_audience: 'The sign-in is for another service. Sign in with: oam login',
  unreachable: 'Is the control plane running, and is OAM_URL (or --url) its address?',
  timed_out: 'Is the control plane running, and is OAM_URL (or --url) its address?',
  not_the_control_plane: 'Is OAM_URL (or --url) the address of the control plane?',
  untrusted_host: 'If it is yours, name it in OAM_TRUSTED_WORKSPACE_HOSTS (origins, separated by commas).',
  unknown_role: 'See the roles that you may ask for with: oam roles',
  already_requested: 'See your requests with: oam requests',
  already_held: 'See your grants with: oam grants',
  precondition_failed: 'Somebody was faster. Look again with: oam requests --to-approve',
};

/** How a failure ends the process. */
export interface Ending {
  readonly exitCode: number;
  /** For standard error; empty where cancelling is silent. */
  readonly lines: readonly string[];
}

const FAILED = 1;
const MISUSED = 2;

/**
 * What a person is told of a failure: a sentence, the variable part, the policy's explanation, the next step. Never a
 * stack, and never a secret.
 */
export function endingOf(error: unknown, redactor: Redactor, cancelledCode = 130): Ending {
  if (error instanceof CancelledError) return { exitCode: cancelledCode, lines: [] };
  if (!(error instanceof OamError)) {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return {
      exitCode: FAILED,
      lines: [
        'oam: Something failed that should not have. Please report it with the line below.',
        ...indented(redactor.redact(what)),
      ],
    };
  }
  const step = NEXT_STEPS[error.code];
  const said = error instanceof ControlPlaneError ? (error.problem.explanation ?? []) : [];
  const [sentence, variable] = partsOf(error);
  const lines = [
    `oam: ${sentence}`,
    ...indented(variable),
    ...said.flatMap((reason) => indented(`- ${reason}`)),
    ...(step === undefined ? [] : indented(step)),
  ];
  return { exitCode: codeOf(error), lines: lines.map((line) => redactor.redact(line)) };
}

/** A problem's detail carries the variable part behind its sentence, as messages do. */
function partsOf(error: OamError): readonly [sentence: string, variable: string] {
  if (error.detail !== undefined) return [error.sentence, error.detail];
  const cut = error.sentence.search(/[.!?]: /);
  return cut < 0 ? [error.sentence, ''] : [error.sentence.slice(0, cut + 1), error.sentence.slice(cut + 3)];
}

function codeOf(error: OamError): number {
  if (error instanceof UsageError) return MISUSED;
  return error instanceof NotStartedError ? error.exitCode : FAILED;
}

function indented(text: string): string[] {
  return text === '' ? [] : text.split('\n').map((line) => `     ${line}`);
}
