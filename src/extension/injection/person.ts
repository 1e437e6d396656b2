import type { PrincipalKey } from '../../domain/principal.ts';
import { principalOf } from '../../identity/index.ts';
import type { ConnectionState } from '../connection/connection.ts';

/** Who is signed in, as far as the addresses of programs are concerned. */
export type Person =
  | { readonly kind: 'restoring' }
  | { readonly kind: 'nobody' }
  /** The session ran out: addresses stay for the same person to come back to. Until then a token in hand is given out while it lives, and no new one comes. */
  | { readonly kind: 'expired' }
  | { readonly kind: 'signedIn'; readonly principal: PrincipalKey };

/** The person of a connection. */
export function personOf(state: ConnectionState): Person {
  switch (state.kind) {
    case 'starting':
      return { kind: 'restoring' };
    case 'notConfigured':
      return { kind: 'nobody' };
    case 'signedOut':
      return { kind: state.expired ? 'expired' : 'nobody' };
    case 'signedIn':
      return { kind: 'signedIn', principal: principalOf(state.session) };
  }
}
