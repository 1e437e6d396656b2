import { randomUUID } from 'node:crypto';

import { CancelledError } from '../../domain/errors.ts';
import type { Evidence, Finding } from '../../domain/evidence.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Redactor } from '../../domain/redaction.ts';
import type { Role } from '../../domain/role.ts';
import { type EpochMs, minutesToMs, SECOND_MS } from '../../domain/time.ts';
import { signatureHeaders } from '../webhooks/signature.ts';
import { findingOf } from './answer.ts';
import { type Circuit, createCircuit } from './circuit.ts';
import type { Exchange } from './exchange.ts';
import type { CallbackKeys } from './keys.ts';
import { type Inquiry, questionOf } from './question.ts';
import { type CallbackSettings, isAskedAbout, type VerifierSettings } from './settings.ts';

/** Asks those outside who know whether a ticket and a purpose are what they say. */
export interface PurposeCallbacks {
  /** How long a yes counts, in milliseconds. */
  readonly trustMs: number;
  /** The names of those that are asked about a role. */
  askedAbout(role: Pick<Role, 'id' | 'team'>): readonly string[];
  /**
   * Asks all of them at the same time. Each has said something when the promise resolves, if only that it said nothing
   * in time.
   *
   * @param nowMs the store's time.
   * @throws {CancelledError} when the signal fires.
   */
  ask(inquiry: Inquiry, nowMs: EpochMs, signal: AbortSignal): Promise<readonly Evidence[]>;
}

/** What {@link createCallbacks} stands on. */
export interface CallbackParts {
  /** Undefined where nobody is asked. */
  readonly settings: CallbackSettings | undefined;
  readonly keys: CallbackKeys;
  readonly exchange: Exchange;
  readonly redactor: Redactor;
  readonly logger: Logger;
  /** Counts what each of them said. */
  readonly count: (labels: { readonly callback: string; readonly verdict: Finding['verdict'] }) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
  readonly version: string;
}

/** The callbacks of the configuration. */
export function createCallbacks(parts: CallbackParts): PurposeCallbacks {
  const { settings } = parts;
  const verifiers = settings?.verifiers ?? [];
  const circuits = new Map(verifiers.map(({ name }) => [name, createCircuit(parts.clock)]));
  const trustMs = minutesToMs(settings?.trustMinutes ?? 0);
  const timeoutSeconds = settings?.timeoutSeconds ?? 0;

  const askOne = async (
    verifier: VerifierSettings,
    inquiry: Inquiry,
    nowMs: EpochMs,
    gone: AbortSignal,
    deadline: AbortSignal,
  ): Promise<Evidence> => {
    const circuit = circuits.get(verifier.name) ?? createCircuit(parts.clock);
    const finding = circuit.mayAsk()
      ? await tryToAsk(circuit, verifier, inquiry, nowMs, gone, deadline)
      : {
          verdict: 'unanswered' as const,
          reason: 'it has not answered lately and is spared for half a minute',
        };
    parts.count({ callback: verifier.name, verdict: finding.verdict });
    return {
      callback: verifier.name,
      atMs: nowMs,
      goodUntilMs: finding.verdict === 'unanswered' ? nowMs : nowMs + trustMs,
      ...finding,
    };
  };

  const tryToAsk = async (
    circuit: Circuit,
    verifier: VerifierSettings,
    inquiry: Inquiry,
    nowMs: EpochMs,
    gone: AbortSignal,
    deadline: AbortSignal,
  ): Promise<Finding> => {
    const body = JSON.stringify(questionOf(inquiry, nowMs, parts.redactor));
    const keys = parts.keys.get(verifier.name) ?? [];
    const headers = {
      ...signatureHeaders(keys, { id: `oam_${randomUUID()}`, sentAtMs: nowMs, body }),
      'content-type': 'application/json',
      'user-agent': `databricks-ml-oam/${parts.version}`,
    };
    let finding: Finding;
    let detail: string | undefined;
    try {
      const outcome = await parts.exchange(
        {
          url: new URL(verifier.url),
          allowPrivate: settings?.allowPrivate ?? [],
          headers,
          body,
        },
        AbortSignal.any([gone, deadline]),
      );
      if (outcome.kind === 'failed') detail = outcome.detail;
      finding =
        outcome.kind === 'answered'
          ? findingOf(outcome.text)
          : { verdict: 'unanswered', reason: outcome.reason };
    } catch (error) {
      if (gone.aborted) {
        circuit.calledOff();
        throw new CancelledError();
      }
      if (!deadline.aborted) throw error;
      finding = { verdict: 'unanswered', reason: `no answer in ${timeoutSeconds} s` };
    }
    if (finding.verdict === 'unanswered') {
      circuit.failed();
      parts.logger.error('A callback did not verify a purpose; that counts as not verified.', {
        callback: verifier.name,
        reason: finding.reason,
        ...(detail !== undefined && { detail }),
      });
    } else circuit.answered();
    return finding;
  };

  return {
    trustMs,
    askedAbout: (role) => verifiers.filter((one) => isAskedAbout(one, role)).map(({ name }) => name),
    async ask(inquiry, nowMs, signal) {
      if (signal.aborted) throw new CancelledError();
      const asked = verifiers.filter((one) => isAskedAbout(one, inquiry.role));
      const deadline = AbortSignal.timeout(timeoutSeconds * SECOND_MS);
      return Promise.all(asked.map((one) => askOne(one, inquiry, nowMs, signal, deadline)));
    },
  };
}
