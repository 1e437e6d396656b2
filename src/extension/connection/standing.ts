import type { OamError } from '../../domain/errors.ts';
import { type PrincipalKey, samePrincipal } from '../../domain/principal.ts';
import { type Accounts, notSignedIn, principalOf, type Session } from '../../identity/index.ts';
import {
  type CallerOptions,
  type ControlPlaneClient,
  createControlPlaneClient,
} from '../../protocol/client.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import type { PinnedTrust } from './pinned-trust.ts';

/** Where the person stands with the control plane. Every change is a new object. */
export type ConnectionState =
  | { readonly kind: 'notConfigured'; readonly error: unknown }
  | { readonly kind: 'starting'; readonly url: string }
  | {
      readonly kind: 'signedOut';
      readonly url: string;
      /** Somebody's session has ended, and not by their own word. */
      readonly expired: boolean;
      /** Why it has. */
      readonly reason?: OamError;
    }
  | SignedInState;

/** Somebody is signed in. */
export interface SignedInState {
  readonly kind: 'signedIn';
  readonly url: string;
  readonly trust: PinnedTrust;
  readonly session: Session;
  /** Acts as this one person: after a sign-in of somebody else it refuses with `principal_changed`. */
  readonly client: ControlPlaneClient;
  /** The same person, for clients of other kinds. */
  readonly caller: CallerOptions;
}

/** The accounts at one control plane, as whom it was agreed to be. */
export interface Keeping {
  readonly url: string;
  readonly trust: PinnedTrust;
  readonly accounts: Accounts;
}

/** Where the person stands by their accounts; the state of before, where nothing of it has changed. */
export function standing(
  { url, trust, accounts }: Keeping,
  state: ConnectionState,
  transport: HttpTransport,
): ConnectionState {
  const { acting } = accounts;
  if (acting?.state.kind !== 'signed-in') {
    const ended = acting?.state.kind === 'expired' ? acting.state : undefined;
    const expired = ended !== undefined;
    if (state.kind === 'signedOut' && state.url === url && state.expired === expired) return state;
    return { kind: 'signedOut', url, expired, ...(ended && { reason: ended.reason }) };
  }
  const { session } = acting.state;
  const before = state.kind === 'signedIn' && state.trust === trust ? state : undefined;
  if (before?.session === session) return before;
  const person = principalOf(session);
  if (before !== undefined && samePrincipal(principalOf(before.session), person)) {
    return { ...before, session };
  }
  const caller = callerOf({ url, accounts }, person);
  const client = createControlPlaneClient({ ...caller, transport });
  return { kind: 'signedIn', url, trust, session, client, caller };
}

/** One person, as whom the control plane is asked: never as anybody else, and for nobody who does not act. */
function callerOf({ url, accounts }: Pick<Keeping, 'url' | 'accounts'>, person: PrincipalKey): CallerOptions {
  return {
    baseUrl: url,
    accessToken: async () => {
      const { acting } = accounts;
      if (acting === undefined) throw notSignedIn();
      return acting.accessToken(undefined, person);
    },
  };
}
