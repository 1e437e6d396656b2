import type { PrincipalKey } from '../../domain/principal.ts';
import { principalOf } from '../../identity/index.ts';
import type { ConnectionState } from '../connection/connection.ts';

/** Who is signed in, as far as the addresses of programs are concerned. */
export type Person =
  | { readonly kind: 'restoring' }
  | { readonly kind: 'nobody' }
  /** The session ran out: addresses stay for the same person to come back to, and refuse until then. */
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
