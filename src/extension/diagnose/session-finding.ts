import { type Clock, HOUR_MS, SECOND_MS } from '../../domain/time.ts';
import { readClaims, type Session } from '../../identity/index.ts';
import type { SessionLimits } from '../../protocol/configuration.ts';
import type { SessionPlace } from '../authentication/editor-sessions.ts';
import { errorWords } from '../commands/error-words.ts';
import type { ConnectionState, SignedInState } from '../connection/connection.ts';
import type { Localise } from '../localise.ts';
import type { Finding } from './finding.ts';

interface SessionFacts {
  readonly l10n: Localise;
  readonly clock: Clock;
  readonly place: () => SessionPlace;
}

const keptWords: Readonly<Record<SessionPlace, string>> = {
  editor: 'kept: by VS Code',
  keychain: 'kept: in the keychain, with oam',
  window: 'kept: until this window closes, for want of a keychain',
};

/** Nobody is signed in, and why. */
export function signedOutFinding(
  { l10n, place }: SessionFacts,
  what: string,
  state: Exclude<ConnectionState, SignedInState>,
): Finding {
  const ended = state.kind === 'signedOut' && state.expired;
  const reason = state.kind === 'signedOut' ? state.reason : undefined;
  return {
    what,
    outcome: 'failed',
    words: !ended
      ? l10n.t('You are not signed in. Sign in, and run this again.')
      : reason === undefined
        ? l10n.t('Your session has ended. Sign in again.')
        : errorWords(l10n, reason).message,
    facts: place() === 'window' ? [keptWords.window] : [],
  };
}

/** Each of the two tokens must be for its own door, and not for the other one. */
export function sessionFinding(
  parts: SessionFacts,
  what: string,
  { session, trust }: SignedInState,
): Finding {
  const { l10n, clock } = parts;
  const { audience, clientId } = trust.identity;
  const access = audiencesOf(session.accessToken);
  const subject = audiencesOf(session.idToken);
  const facts = [
    session.userName,
    `for OAM: ${access.join(', ')}, ${secondsLeft(clock, session.accessTokenExpiresAtMs)} s left`,
    `for Databricks: ${subject.join(', ')}, ${secondsLeft(clock, session.idTokenExpiresAtMs)} s left`,
    `renewable: ${session.refreshToken === undefined ? 'no' : 'yes'}`,
    keptWords[parts.place()],
    ...limitFacts(trust.sessions, session, clock),
  ];
  const isApart =
    access.includes(audience) &&
    !access.includes(clientId) &&
    subject.includes(clientId) &&
    !subject.includes(audience);
  if (!isApart) {
    return {
      ...{ what, outcome: 'failed', facts },
      words: l10n.t(
        'The identity provider must give OAM and Databricks tokens with different audiences. Ask its administrator to correct the registration of OAM.',
      ),
    };
  }
  if (session.refreshToken === undefined) {
    return {
      ...{ what, outcome: 'warning', facts },
      words: l10n.t(
        'You are signed in, but the identity provider gave nothing to renew it with, so you will have to sign in often. Ask its administrator to allow offline access.',
      ),
    };
  }
  return { ...{ what, outcome: 'ok', facts }, words: l10n.t('You are signed in.') };
}

function audiencesOf(token: string): readonly string[] {
  const aud = readClaims(token)?.aud;
  return aud === undefined ? [] : typeof aud === 'string' ? [aud] : aud;
}

function limitFacts(
  limits: SessionLimits | undefined,
  { beganAtMs }: Session,
  clock: Clock,
): readonly string[] {
  const { idleMinutes, absoluteHours } = limits ?? {};
  return [
    ...(idleMinutes === undefined ? [] : [`ends without use: after ${idleMinutes} min`]),
    ...(absoluteHours === undefined
      ? []
      : [
          `ends in any case: after ${absoluteHours} h` +
            (beganAtMs === undefined
              ? ''
              : `, ${secondsLeft(clock, beganAtMs + absoluteHours * HOUR_MS)} s left`),
        ]),
  ];
}

/** Whole seconds, and none where it is over. */
export function secondsLeft(clock: Clock, untilMs: number): number {
  return Math.max(0, Math.round((untilMs - clock.nowMs()) / SECOND_MS));
}
