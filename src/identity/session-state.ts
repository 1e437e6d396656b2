import type { OamError } from '../domain/errors.ts';
import type { Session } from './session.ts';

/** Where a session stands. */
export type SessionState =
  /** The store was not read yet. */
  | { readonly kind: 'unread' }
  | { readonly kind: 'signed-out' }
  /** It was ended by others than the person: by the provider, or by what their company allows. */
  | { readonly kind: 'expired'; readonly reason: OamError }
  | { readonly kind: 'signed-in'; readonly session: Session };

/** The session, where there is one. */
export function sessionIn(state: SessionState): Session | undefined {
  return state.kind === 'signed-in' ? state.session : undefined;
}
