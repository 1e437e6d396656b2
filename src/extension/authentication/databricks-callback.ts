import { timingSafeEqual } from 'node:crypto';

import { hasCode, OamError } from '../../domain/errors.ts';
import { type Callback, databricksCallbackPlace, startCallbackServer } from '../../identity/index.ts';
import type { Surroundings, WantedFlow } from './sign-in-flow.ts';

/**
 * How the answer of Databricks' page comes back. Databricks lets the browser go to a port of its own machine and
 * nowhere else, so that no address of the editor can be used.
 */
export type DatabricksCallback =
  /** To this machine, which is the browser's too. */
  | 'loopback'
  /** To the browser's machine, which forwards the port to this one. */
  | 'forwarded'
  /** To nobody: the person takes the address out of the browser and pastes it. */
  | 'pasted';

/** The way that works where VS Code runs; the setting for sign-ins can say that browser and editor share a machine. */
export function databricksCallback({ ui, remoteName }: Surroundings, wanted: WantedFlow): DatabricksCallback {
  if (wanted === 'loopback') return 'loopback';
  if (ui === 'web') return 'pasted';
  return remoteName === undefined ? 'loopback' : 'forwarded';
}

/** The parts of the editor that an answer may need. */
export interface DatabricksCallbackParts {
  /** The address by which the browser's machine reaches a port of this one; any other one where it cannot. */
  readonly externalAddress: (address: string) => Promise<string>;
  /**
   * Lets the person paste an address; undefined where they leave.
   *
   * @param isAnswer tells whether a text is the one that is waited for.
   */
  readonly paste: (isAnswer: (text: string) => boolean, closed: AbortSignal) => Promise<string | undefined>;
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Begins to wait for the answer that carries a state. Where no port can be had or forwarded, the person pastes it.
 *
 * @throws {OamError} from `answer`: `databricks_sign_in_denied` where they leave.
 */
export async function listenForDatabricks(
  way: DatabricksCallback,
  clientId: string,
  expectedState: string,
  parts: DatabricksCallbackParts,
): Promise<Callback> {
  if (way === 'pasted') return pastedCallback(expectedState, databricksCallbackPlace(clientId), parts.paste);
  const forwarded = async (port: number): Promise<string> => {
    const address = URL.parse(await parts.externalAddress(`http://localhost:${port}/`));
    const reached = Number(address?.port);
    const isRegistered =
      address?.protocol === 'http:' &&
      LOOPBACK_NAMES.includes(address.hostname) &&
      databricksCallbackPlace(clientId).ports.includes(reached);
    if (!isRegistered) {
      throw new OamError(
        'loopback_unavailable',
        'The port cannot be forwarded to the browser. Paste the address.',
      );
    }
    return `http://localhost:${reached}`;
  };
  const place = databricksCallbackPlace(clientId, way === 'forwarded' ? forwarded : undefined);
  try {
    return await startCallbackServer(expectedState, place);
  } catch (error) {
    if (!hasCode(error, 'loopback_unavailable')) throw error;
    return pastedCallback(expectedState, place, parts.paste);
  }
}

function pastedCallback(
  expectedState: string,
  { ports }: { readonly ports: readonly number[] },
  paste: DatabricksCallbackParts['paste'],
): Callback {
  const redirectUri = `http://localhost:${ports[0] ?? 0}`;
  const closed = new AbortController();
  const answerIn = (text: string): URL | undefined => {
    const address = URL.parse(text.trim());
    if (address === null || `${address.protocol}//${address.host}` !== redirectUri) return undefined;
    return sameText(address.searchParams.get('state') ?? '', expectedState) ? address : undefined;
  };
  // Not before the page is opened: its notification would lie over the box.
  let asked: Promise<URL> | undefined;
  const ask = async (): Promise<URL> => {
    const text = await paste((given) => answerIn(given) !== undefined, closed.signal);
    const answer = text === undefined ? undefined : answerIn(text);
    if (answer !== undefined) return answer;
    throw new OamError(
      'databricks_sign_in_denied',
      'The sign-in to Databricks was refused or cancelled in the browser. Sign in to Databricks again.',
    );
  };
  return {
    redirectUri,
    get answer() {
      asked ??= ask();
      asked.catch(() => undefined);
      return asked;
    },
    close() {
      closed.abort();
      return Promise.resolve();
    },
  };
}

function sameText(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
