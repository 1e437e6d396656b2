import * as z from 'zod/mini';

import {
  type Broker,
  type BrokerPath,
  type PersonTokenOptions,
  pointerEnvironment,
  type Refusal,
  startBroker,
  type TokenSource,
} from '../../broker/index.ts';
import { CancelledError, OamError } from '../../domain/errors.ts';
import { hasOwnPath } from '../../domain/role.ts';
import type { EpochMs } from '../../domain/time.ts';
import { stateFolder } from '../../identity/index.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import { describeMoment } from '../duration.ts';
import type { CommandSession, Leaving } from '../connection/session.ts';
import type { Invocation } from '../invocation.ts';
import { oneLine } from '../table.ts';
import { runChild } from './child.ts';
import { type ChildEnvironment, childEnvironment } from './child-environment.ts';
import { endingWords, watchGrant } from './grant-watch.ts';
import { keepTokenFile, type TokenFile, tokenFolder } from './token-file.ts';

/** Where and as whom the program works. */
export interface ExecPlace {
  readonly host: string;
  readonly source: TokenSource;
  /** Absent where nobody is signed in. */
  readonly person?: PersonTokenOptions;
  /** The grant that the program works under, and who asks after it; absent where it has the person's everyday access only. */
  readonly held: HeldGrant | undefined;
  /** The session that the access ends with; absent where the program goes on without one. */
  readonly session?: Pick<CommandSession, 'onLeft'> | undefined;
}

/** The grant that a program works under. */
export interface HeldGrant {
  readonly grant: GrantView;
  readonly client: ControlPlaneClient;
  /** When the access ends by itself; at the grant's end unless given. */
  readonly endOf?: (grant: GrantView) => EpochMs;
}

/** What is run, and how it gets at its access. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly fileOidc: boolean;
}

/**
 * Runs a program that has access at a place while it runs: by a broker of its own and a path of its own, which ends with
 * it; or, where it was asked for, by a file with the person's sign-in.
 *
 * @returns the program's exit code.
 */
export function runProgram(place: ExecPlace, program: Program, invocation: Invocation): Promise<number> {
  return program.fileOidc
    ? runWithTokenFile(place, program, invocation)
    : runWithBroker(place, program, invocation);
}

async function runWithBroker(place: ExecPlace, program: Program, invocation: Invocation): Promise<number> {
  const { clock, logger, redactor, signals, note } = invocation;
  const broker: Broker = await startBroker({ clock, logger, redactor });
  try {
    let tell: (refusal: Refusal) => void = () => undefined;
    using path = broker.open({
      host: place.host,
      source: place.source,
      // The program may compute for hours before it asks again, and whoever makes tokens be away just then.
      keepsFed: true,
      onRefusal: (refusal) => {
        tell(refusal);
      },
    });
    await firstToken(path, place.host, signals.stop);
    tell = onceEach(note);
    const { env, leftOut } = childEnvironment(
      invocation.env,
      pointerEnvironment({ host: place.host, url: path.url }),
    );
    return await runInPlace({ env, leftOut }, place, path, program, invocation);
  } finally {
    await broker.close();
  }
}

async function runWithTokenFile(place: ExecPlace, program: Program, invocation: Invocation): Promise<number> {
  const { clock, env: inherited, note, outlivesTerminal, signals } = invocation;
  const { host, person } = place;
  if (person?.principal === undefined) throw new TypeError('Nobody is signed in here.');
  if (person.ownSignIn?.() !== undefined) {
    throw new OamError(
      'no_federation_policy',
      'This workspace takes no sign-in of your company, so a program could not exchange it. Leave --file-oidc out.',
    );
  }
  // Asked as the program will, so that what is wrong is said before it starts, and in our words.
  await place.source.token(signals.stop);
  await using file = await keepTokenFile({
    folder: tokenFolder(inherited, stateFolder(inherited), outlivesTerminal),
    subjectToken: (signal) => person.session.subjectToken(signal),
    principal: person.principal,
    clock,
    onTrouble: ({ sentence }) => {
      note(`oam: The file with your sign-in is not renewed: ${sentence}`);
    },
  });
  note(
    `oam: Your sign-in lies in a file while the program runs, and fresh ones follow: ${file.path}. ` +
      `Whatever runs as your user can copy it, and be you in every workspace of the account until it ends (this one at ` +
      `${describeMoment(file.expiresAtMs, clock.nowMs())}), whatever OAM does.`,
  );
  const environment = childEnvironment(inherited, {
    DATABRICKS_HOST: host,
    DATABRICKS_AUTH_TYPE: 'file-oidc',
    DATABRICKS_OIDC_TOKEN_FILEPATH: file.path,
  });
  return await runInPlace(environment, place, file, program, invocation);
}

async function runInPlace(
  { env, leftOut }: ChildEnvironment,
  { held, session }: ExecPlace,
  access: BrokerPath | TokenFile,
  { command, args }: Program,
  invocation: Invocation,
): Promise<number> {
  const { atTerminal, note, outlivesTerminal, signals } = invocation;
  if (leftOut.length > 0) note(`Left out of the program's environment: ${leftOut.join(', ')}`);
  using watches = new DisposableStack();
  watches.use(held && watchWhileRunning(held, access, invocation));
  watches.use(
    session?.onLeft((leaving) => {
      access.end(leaving);
      note(
        `oam: ${LEFT[leaving]} while the program runs, so it gets nothing more. Sign in and start it anew.`,
      );
    }),
  );
  return await runChild({ command, args, env, signals, atTerminal, outlivesTerminal });
}

const LEFT: Readonly<Record<Leaving, string>> = {
  signed_out: 'You have signed out',
  principal_changed: 'Somebody else has signed in',
};

/** Warns of a grant's end, and ends a role's path with it. A person's path stays: it answers as the person, who has less now. */
function watchWhileRunning(
  { grant, client, endOf }: HeldGrant,
  access: BrokerPath | TokenFile,
  { clock, note }: Pick<Invocation, 'clock' | 'note'>,
): Disposable {
  return watchGrant({
    ...{ grantId: grant.id, client, clock },
    ...(endOf && { endOf }),
    onEnding(ending, leftMs) {
      note(`oam: ${endingWords(ending, leftMs, clock.nowMs())}`);
    },
    onOver() {
      note(`oam: The access has ended while the program runs: ${oneLine(grant.role.title)}.`);
      if (hasOwnPath(grant.role.credential)) access.end('grant_ended');
    },
  });
}

/** Says each reason once until another comes: SDKs ask again and again. */
function onceEach(note: (line: string) => void): (refusal: Refusal) => void {
  let last: string | undefined;
  return ({ code, sentence }) => {
    if (code !== last) note(`oam: ${sentence}`);
    last = code;
  };
}

const Refused = z.object({ error: z.string(), message: z.string() });

/** Asks the path as the program will, so that what is wrong is said before it starts, and in our words. */
async function firstToken(path: BrokerPath, host: string, stop: AbortSignal): Promise<void> {
  try {
    const answer = await fetch(path.url, {
      headers: { 'x-databricks-metadata-version': '1', 'x-databricks-host': host, connection: 'close' },
      signal: stop,
    });
    const body: unknown = await answer.json();
    if (answer.ok) return;
    const { error, message } = Refused.parse(body);
    throw new OamError(error, message);
  } catch (error) {
    if (stop.aborted) throw new CancelledError();
    throw error;
  }
}
