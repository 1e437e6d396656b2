import type { Broker, TokenSource } from '../../broker/index.ts';
import type { HostTrust } from '../../databricks/index.ts';
import { CancelledError, hasCode, OamError } from '../../domain/errors.ts';
import type { PrincipalKey } from '../../domain/principal.ts';
import { type Clock, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import {
  assertTwoAudiences,
  discoverIdentityProvider,
  principalOf,
  cancellable,
} from '../../identity/index.ts';
import { createControlPlaneClient } from '../../protocol/client.ts';
import type { Configuration } from '../../protocol/configuration.ts';
import type { HttpResponse, HttpTransport } from '../../protocol/transport.ts';
import { errorWords } from '../commands/error-words.ts';
import type { SessionPlace } from '../authentication/editor-sessions.ts';
import type { ConnectionState } from '../connection/connection.ts';
import { controlPlaneOrigin } from '../connection/control-plane-address.ts';
import { type PinnedTrust, trustChanges, trustOf } from '../connection/pinned-trust.ts';
import type { Localise } from '../localise.ts';
import type { Finding } from './finding.ts';
import { networkCode, networkWords } from './network-words.ts';
import { proxyFinding, type ProxyFacts } from './proxy.ts';
import { secondsLeft, sessionFinding, signedOutFinding } from './session-finding.ts';

/** What the checks look at. */
export interface DiagnoseParts {
  readonly l10n: Localise;
  /** The setting's present value. */
  readonly address: () => string;
  readonly state: () => ConnectionState;
  /** Where sessions are kept. */
  readonly place: () => SessionPlace;
  readonly pinned: () => PinnedTrust | undefined;
  readonly proxy: ProxyFacts;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly trust: HostTrust;
  /** Tokens of a person for a workspace. */
  readonly source: (host: string, principal: PrincipalKey) => TokenSource;
  readonly broker: () => Promise<Broker>;
  /** What each folder of the window has of OAM, in words. */
  readonly folders: () => readonly Finding[];
}

/** A clock that is off by more than this makes tokens look expired or not yet valid. */
const CLOCK_OFF_MS = 30 * SECOND_MS;

const CLOCK_FAR_OFF_MS = 5 * MINUTE_MS;

const CHECK_TIMEOUT_MS = 15 * SECOND_MS;

/**
 * Looks at everything between a person and Databricks, one after the other, and says each in plain words. What a check
 * that failed stands in the way of is skipped, not guessed.
 *
 * @param onFinding Called with each finding as it comes.
 * @throws {CancelledError}
 */
export async function diagnose(
  parts: DiagnoseParts,
  signal: AbortSignal,
  onFinding: (finding: Finding) => void,
): Promise<Finding[]> {
  const { l10n } = parts;
  const findings: Finding[] = [];
  const found = (finding: Finding): void => {
    signal.throwIfAborted();
    findings.push(finding);
    onFinding(finding);
  };
  const skip = (what: string): void => {
    found({
      what,
      outcome: 'skipped',
      words: l10n.t('Not looked at, because of what failed above.'),
      facts: [],
    });
  };
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await cancellable(work(), signal);
    } catch (error) {
      if (signal.aborted || hasCode(error, 'cancelled')) throw new CancelledError();
      found(failure(l10n, what, error));
      return undefined;
    }
  };

  found(proxyFinding(l10n, parts.proxy));

  const atControlPlane = l10n.t('Control plane');
  const url = await attempt(atControlPlane, () => Promise.resolve(addressOf(parts)));
  const answer =
    url === undefined
      ? undefined
      : await attempt(atControlPlane, () => readConfiguration(parts.transport, url, signal));
  if (answer !== undefined) {
    found({
      what: atControlPlane,
      outcome: 'ok',
      words: l10n.t('It answers.'),
      facts: [url ?? '', `version ${answer.configuration.version}`],
    });
    found(clockFinding(parts, answer.response));
    found(trustFinding(parts, answer.configuration));
  }

  const atProvider = l10n.t('Identity provider');
  const identity = answer?.configuration.identity ?? parts.pinned()?.identity;
  if (identity === undefined) skip(atProvider);
  else {
    const discovered = await attempt(atProvider, async () => {
      assertTwoAudiences(identity);
      return discoverIdentityProvider(identity, { timeoutMs: CHECK_TIMEOUT_MS });
    });
    if (discovered !== undefined) {
      const metadata = discovered.client.serverMetadata();
      found({
        what: atProvider,
        outcome: 'ok',
        words: l10n.t('It answers, and is the one that the control plane names.'),
        facts: [
          identity.issuer,
          `sign-in with a code: ${metadata.device_authorization_endpoint === undefined ? 'no' : 'yes'}`,
          `ends sessions when told: ${metadata.revocation_endpoint === undefined ? 'no' : 'yes'}`,
        ],
      });
    }
  }

  const state = parts.state();
  const atSignIn = l10n.t('Sign-in');
  if (state.kind !== 'signedIn') {
    found(signedOutFinding(parts, atSignIn, state));
    for (const what of [l10n.t('Control plane, as you'), l10n.t('Workspaces'), l10n.t('Local credentials')])
      skip(what);
  } else {
    found(sessionFinding(parts, atSignIn, state));
    await attempt(l10n.t('Control plane, as you'), async () => {
      const me = await state.client.call('getMe', { signal });
      found({
        what: l10n.t('Control plane, as you'),
        outcome: 'ok',
        words: l10n.t('It knows you.'),
        facts: [
          `duty: ${me.duty ?? 'none'}`,
          `groups: ${me.groups.length}`,
          `teams: ${me.teams.map(({ name }) => name).join(', ') || 'none'}`,
        ],
      });
    });
    const workspaces = parts.pinned()?.workspaces ?? [];
    const person = principalOf(state.session);
    let usable: string | undefined;
    for (const { name, host, tokenSource } of workspaces) {
      const what = l10n.t('Workspace {0}', name);
      const token = await attempt(what, async () => {
        if (!parts.trust.isTrusted(host)) {
          throw new OamError(
            'untrusted_host',
            'This address is none of Databricks’ own and not in your settings, so your sign-in is not sent there. If it is right, add it to the trusted workspace hosts.',
            { detail: host },
          );
        }
        return parts.source(host, person).token(signal);
      });
      if (token === undefined) continue;
      usable ??= host;
      found({
        what,
        outcome: 'ok',
        words: l10n.t('It takes your sign-in.'),
        facts: [
          host,
          `a token of ${secondsLeft(parts.clock, token.expiresAtMs)} s`,
          `from: ${tokenSource ?? 'exchange'}`,
        ],
      });
    }
    const atBroker = l10n.t('Local credentials');
    if (usable === undefined) skip(atBroker);
    else {
      const host = usable;
      await attempt(atBroker, async () => {
        found(await brokerFinding(parts, atBroker, host, person, signal));
      });
    }
  }
  for (const finding of parts.folders()) found(finding);
  return findings;
}

function addressOf({ address }: DiagnoseParts): string {
  const url = controlPlaneOrigin(address());
  if (url !== undefined) return url;
  throw new OamError(
    'not_configured',
    'The address of your control plane is not set. Set it in the settings; your platform team knows it.',
  );
}

async function readConfiguration(
  transport: HttpTransport,
  url: string,
  signal: AbortSignal,
): Promise<{ readonly response: HttpResponse; readonly configuration: Configuration }> {
  let response: HttpResponse | undefined;
  const client = createControlPlaneClient({
    baseUrl: url,
    accessToken: () => Promise.resolve(undefined),
    transport: async (request) => {
      response = await transport({ ...request, timeoutMs: CHECK_TIMEOUT_MS });
      return response;
    },
  });
  const configuration = await client.call('getConfiguration', { signal });
  if (response === undefined) throw new TypeError('Nothing was answered.');
  return { response, configuration };
}

/** By the Date header of an answer that has just come, which is a second coarse. */
function clockFinding({ l10n, clock }: DiagnoseParts, { headers }: HttpResponse): Finding {
  const what = l10n.t('Clock of this machine');
  const theirsMs = Date.parse(headers['date'] ?? '');
  if (Number.isNaN(theirsMs)) {
    return {
      what,
      outcome: 'skipped',
      words: l10n.t('The control plane did not say what time it is.'),
      facts: [],
    };
  }
  const offMs = clock.nowMs() - theirsMs;
  const off = Math.round(Math.abs(offMs) / SECOND_MS);
  if (Math.abs(offMs) <= CLOCK_OFF_MS) {
    return { what, outcome: 'ok', words: l10n.t('It is right.'), facts: [`${off} s apart`] };
  }
  return {
    what,
    outcome: Math.abs(offMs) > CLOCK_FAR_OFF_MS ? 'failed' : 'warning',
    words:
      offMs > 0
        ? l10n.t(
            'It is ahead of the control plane. Set it by the network, or tokens look as if they had run out.',
          )
        : l10n.t(
            'It is behind the control plane. Set it by the network, or tokens look as if they were still good.',
          ),
    facts: [`${off} s apart`],
  };
}

function trustFinding({ l10n, pinned }: DiagnoseParts, configuration: Configuration): Finding {
  const what = l10n.t('Whom you trust');
  const agreed = pinned();
  const changes = agreed === undefined ? [] : trustChanges(agreed, trustOf(configuration));
  if (changes.length === 0) {
    return {
      what,
      outcome: 'ok',
      words: l10n.t('The control plane names the same parties as when you first used it.'),
      facts: configuration.workspaces.map(({ name, host }) => `${name}: ${host}`),
    };
  }
  return {
    what,
    outcome: 'warning',
    words: l10n.t(
      'The control plane names other parties than when you first used it. You are asked at the next sign-in; agree only if it was announced to you.',
    ),
    facts: changes.map((change) => `${change.what}: ${change.old} → ${change.new}`),
  };
}

/** Asks at an address of its own, as a program would. */
async function brokerFinding(
  parts: DiagnoseParts,
  what: string,
  host: string,
  person: PrincipalKey,
  signal: AbortSignal,
): Promise<Finding> {
  const { l10n } = parts;
  const broker = await parts.broker();
  const path = broker.open({ host, source: parts.source(host, person) });
  try {
    const { status } = await parts.transport({
      method: 'GET',
      url: path.url,
      headers: { 'x-databricks-metadata-version': '1', 'x-databricks-host': host },
      signal,
    });
    const facts = [`127.0.0.1:${broker.port}`, `HTTP ${status}`];
    return status === 200
      ? {
          what,
          outcome: 'ok',
          words: l10n.t('Terminals and notebooks can get credentials on this machine.'),
          facts,
        }
      : {
          ...{ what, outcome: 'failed', facts },
          words: l10n.t('Programs on this machine are refused credentials. The log has the reason.'),
        };
  } finally {
    path.end('closed');
  }
}

function failure(l10n: Localise, what: string, error: unknown): Finding {
  const code = networkCode(error);
  return {
    what,
    outcome: 'failed',
    words: networkWords(l10n, error) ?? errorWords(l10n, error).message,
    facts: [
      ...(error instanceof OamError ? [error.code] : []),
      ...(error instanceof OamError && error.detail !== undefined ? [error.detail] : []),
      ...(code === undefined ? [] : [code]),
    ],
  };
}
