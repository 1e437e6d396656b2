import { hash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { CancelledError, OamError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import type { Redactor } from '../domain/redaction.ts';
import { type Clock, SECOND_MS } from '../domain/time.ts';
import type { BearerToken } from '../databricks/index.ts';
import {
  asksAgainWhenHungUpOn,
  normaliseHost,
  refuseForm,
  refuseForPath,
  type RequestFacts,
  UNKNOWN_PATH,
} from './admission.ts';
import { type AnswerWriter, answerWriter, refuse, send } from './answer.ts';
import { type HeldToken, holdToken, type Wait } from './held-token.ts';
import { listen } from './listener.ts';
import { type ListenerUid, listenerUidFromProc, type UidOf, uidFromProc } from './peer.ts';
import { createPeerCheck } from './peer-check.ts';
import {
  type BrokerRefusal,
  endedRefusal,
  isPathEnd,
  passesByItself,
  type PathEnd,
  type Refusal,
  sourceRefusal,
} from './refusal.ts';
import type { TokenSource } from './token-source.ts';

/** The Python and Go SDKs wait 10 seconds; a reason that comes later is never read. */
const ANSWER_WITHIN_MS = 8 * SECOND_MS;

/** 128 bits in base64url; what the broker makes itself has 256. */
const PATH_FORM = /^[A-Za-z0-9_-]{22,128}$/;

/** What {@link startBroker} needs. */
export interface BrokerOptions {
  /** The port to take, so that pointers of before a reload stay good; any free one unless given. */
  readonly port?: number;
  readonly clock: Clock;
  /** Waits in the time of `clock`; the machine's unless given. */
  readonly wait?: Wait;
  readonly logger: Logger;
  /** Every path is registered with it: whoever knows a path can use it. */
  readonly redactor: Redactor;
  /** Whose the other end of a connection is; from `/proc/net/tcp` on Linux, unchecked elsewhere, unless given. */
  readonly uidOf?: UidOf;
  /** Who listens on a port of this machine that is taken; as {@link BrokerOptions.uidOf}. */
  readonly listenerUid?: ListenerUid;
  /** Told of refusals that belong to no path. */
  readonly onRefusal?: (refusal: Refusal) => void;
  /** How long a token may be waited for before the request is refused, in milliseconds; 8 seconds unless given. */
  readonly answerWithinMs?: number;
  /** How long a client may take to send its request, in milliseconds; 5 seconds unless given. */
  readonly requestWithinMs?: number;
}

/** What {@link Broker.open} needs. */
export interface OpenPath {
  /** A path of before a reload; 256 random bits unless given. At least 22 characters of base64url. */
  readonly path?: string;
  /** The one workspace that the path answers for. */
  readonly host: string;
  /** The one principal that the path answers as. */
  readonly source: TokenSource;
  /** Told of every refusal on this path, after its end as well. */
  readonly onRefusal?: (refusal: Refusal) => void;
  /**
   * Whether a token is kept in hand though nobody asks for hours, because a program that lives as long as the path will.
   */
  readonly keepsFed?: boolean;
}

/** An open path: one principal, one workspace. Disposing ends it as `closed`. */
export interface BrokerPath extends Disposable {
  readonly path: string;
  /** What `DATABRICKS_METADATA_SERVICE_URL` points at. A secret of the same user. */
  readonly url: string;
  /** Ends the path: it refuses for ever, and never answers as somebody else. The first reason stays. */
  end(reason: PathEnd): void;
}

/** A running broker. */
export interface Broker {
  readonly port: number;
  /**
   * @throws {OamError} `path_in_use`, `path_ended`, `path_too_weak`, `bad_host`.
   */
  open(place: OpenPath): BrokerPath;
  /** Ends all paths and stops listening. */
  close(): Promise<void>;
}

interface Route {
  readonly host: string;
  readonly held: HeldToken;
  readonly write: AnswerWriter;
  readonly onRefusal: ((refusal: Refusal) => void) | undefined;
  /** Whether a program has had a token here. */
  hasServed: boolean;
  ended: PathEnd | undefined;
}

/**
 * Starts the broker on 127.0.0.1: Databricks' metadata service, version 1. It answers GET with
 * `{"access_token","token_type","expires_on"}` (`expires_on` in whole Unix seconds) and everything that it refuses
 * with `{"error","message"}`, in JSON, because the Python SDK looks at no status. One refusal is none: where trouble outlasts
 * what a program waits, and it has had tokens before, Databricks' Python SDK is hung up on, because it asks again then.
 *
 * @throws {OamError} `port_taken` when `port` belongs to another program, `port_of_another_user` when it is seen to be one
 * of another user: what still asks there may be given somebody else's tokens.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { clock, logger, redactor } = options;
  // By their hashes, so that the time of a look-up says nothing about the path.
  const routes = new Map<string, Route>();
  const keys = new WeakMap<Socket, { readonly target: string; readonly key: string }>();
  const peers = createPeerCheck(options.uidOf ?? (process.platform === 'linux' ? uidFromProc() : undefined));

  const report = (refusal: Refusal, route: Route | undefined): void => {
    logger.warn('The broker refused a request', { code: refusal.code, status: refusal.status });
    (route?.onRefusal ?? options.onRefusal)?.(refusal);
  };

  const routeOf = ({ target }: RequestFacts, socket: Socket): Route | undefined => {
    // What a connection asks for again is compared with its own former target only.
    let asked = keys.get(socket);
    if (asked?.target !== target) {
      asked = { target, key: keyOf(target.slice(1)) };
      keys.set(socket, asked);
    }
    return routes.get(asked.key);
  };

  /** The verdict on what somebody of the same user asks; at once where nothing has to be waited for. */
  const judge = (facts: RequestFacts, socket: Socket): Verdict | Promise<Verdict> => {
    const route = routeOf(facts, socket);
    const early = refuseForm(facts, listener.port);
    if (early !== undefined) return { refusal: early, route };
    if (route === undefined) return { refusal: UNKNOWN_PATH, route };
    const refusal = refuseRoute(route, facts);
    if (refusal !== undefined) return { refusal, route };
    const token = route.held.inHand();
    return token === undefined ? fetched(route) : { token, route };
  };

  const fetched = async (route: Route): Promise<Verdict> => {
    const outcome = await tokenOf(route, options.answerWithinMs ?? ANSWER_WITHIN_MS);
    // Once more, because the path may have ended while the token was under way.
    return route.ended === undefined ? { ...outcome, route } : { refusal: endedRefusal(route.ended), route };
  };

  const judgeStranger = async (facts: RequestFacts, socket: Socket): Promise<Verdict | undefined> => {
    const refusal = await peers.refuse(socket);
    // Of a connection that is closed by now the system knows nothing any more, and nobody waits for an answer.
    if (refusal !== undefined && socket.destroyed) return undefined;
    return refusal === undefined ? judge(facts, socket) : { refusal, route: routeOf(facts, socket) };
  };

  const deliver = (facts: RequestFacts, response: ServerResponse, verdict: Verdict): void => {
    if (verdict.token === undefined) {
      const { refusal, route } = verdict;
      if (route?.hasServed === true && passesByItself(refusal) && asksAgainWhenHungUpOn(facts)) {
        response.destroy();
      } else {
        refuse(response, refusal);
      }
      report(refusal, route);
      return;
    }
    verdict.route.hasServed = true;
    send(response, 200, verdict.route.write(verdict.token, clock.nowMs()));
  };

  const fail = (response: ServerResponse, error: unknown): void => {
    logger.error('The broker failed to answer', { error: error instanceof Error ? error.name : 'unknown' });
    if (response.headersSent) return;
    refuse(response, FAILED);
    report(FAILED, undefined);
  };

  const listener = await listen({
    port: options.port ?? 0,
    requestWithinMs: options.requestWithinMs ?? 5 * SECOND_MS,
    listenerUid: options.listenerUid ?? (process.platform === 'linux' ? listenerUidFromProc : undefined),
    onConnection: (socket) => {
      peers.meet(socket);
    },
    onRequest(request, response) {
      const facts = factsOf(request);
      try {
        const { socket } = request;
        const verdict = peers.isKnown(socket) ? judge(facts, socket) : judgeStranger(facts, socket);
        if (!(verdict instanceof Promise)) {
          deliver(facts, response, verdict);
          return;
        }
        verdict
          .then((late) => {
            if (late !== undefined) deliver(facts, response, late);
          })
          .catch((error: unknown) => {
            fail(response, error);
          });
      } catch (error) {
        fail(response, error);
      }
    },
    onMalformed: (refusal) => {
      report(refusal, undefined);
    },
  });

  return {
    port: listener.port,
    open(place) {
      const host = normaliseHost(place.host);
      if (host === undefined) {
        throw new OamError(
          'bad_host',
          'This is not the address of a workspace. Give it as https://host, without a path.',
          { detail: place.host },
        );
      }
      const path = place.path ?? randomBytes(32).toString('base64url');
      if (!PATH_FORM.test(path)) {
        throw new OamError('path_too_weak', 'The path can be guessed. Let the broker choose one.');
      }
      const key = keyOf(path);
      const before = routes.get(key);
      if (before !== undefined) {
        throw before.ended === undefined
          ? new OamError('path_in_use', 'The path is open already. Let the broker choose another.')
          : new OamError('path_ended', 'The path has ended and stays so. Let the broker choose another.');
      }

      const end = (reason: PathEnd): void => {
        if (route.ended !== undefined) return;
        route.ended = reason;
        route.held.drop();
      };
      const held = holdToken({
        source: place.source,
        clock,
        logger,
        ...(place.keepsFed === true && { keepsFed: true }),
        ...(options.wait && { wait: options.wait }),
        onFailure: ({ code }) => {
          if (isPathEnd(code)) end(code);
        },
      });
      const route: Route = {
        host,
        held,
        write: answerWriter(),
        onRefusal: place.onRefusal,
        hasServed: false,
        ended: undefined,
      };
      routes.set(key, route);
      redactor.register(path);
      return {
        path,
        url: `http://127.0.0.1:${listener.port}/${path}`,
        end,
        [Symbol.dispose]: () => {
          end('closed');
        },
      };
    },
    async close() {
      for (const route of routes.values()) {
        route.ended ??= 'closed';
        route.held.drop();
      }
      await listener.close();
    },
  };
}

function keyOf(path: string): string {
  return hash('sha256', path, 'base64');
}

function factsOf(request: IncomingMessage): RequestFacts {
  const { rawHeaders } = request;
  return {
    httpVersion: request.httpVersion,
    method: request.method ?? '',
    target: request.url ?? '',
    header(name) {
      let values: string[] | undefined;
      for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
        const given = rawHeaders[at] ?? '';
        if (given.length !== name.length || given.toLowerCase() !== name) continue;
        values ??= [];
        values.push(rawHeaders[at + 1] ?? '');
      }
      return values ?? NONE;
    },
  };
}

const NONE: readonly string[] = [];

function refuseRoute(route: Route, facts: RequestFacts): BrokerRefusal | undefined {
  return route.ended === undefined ? refuseForPath(facts, route.host) : endedRefusal(route.ended);
}

const FAILED: BrokerRefusal = {
  code: 'internal',
  status: 500,
  sentence: 'The broker failed. Read its log and report this.',
};

type Outcome =
  | { readonly token: BearerToken; readonly refusal?: undefined }
  | { readonly token?: undefined; readonly refusal: Refusal };

type Verdict =
  | { readonly token: BearerToken; readonly refusal?: undefined; readonly route: Route }
  | { readonly token?: undefined; readonly refusal: Refusal; readonly route: Route | undefined };

/** The route's token, or why there is none by the time at which the client stops listening. */
async function tokenOf(route: Route, withinMs: number): Promise<Outcome> {
  try {
    return { token: await route.held.getWithin(withinMs) };
  } catch (error) {
    return { refusal: sourceRefusal(error instanceof OamError ? error : new CancelledError()) };
  }
}
