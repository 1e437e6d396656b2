import { obtainRole, type RoleWish } from '../../../src/cli/exec/access.ts';
import { OamError } from '../../../src/domain/errors.ts';
import type { CredentialKind } from '../../../src/domain/role.ts';
import { fakeControlPlane, fakeInvocation, ok, ROLE, type Script } from './fake-control-plane.ts';

const WISH: RoleWish = { roleId: 'ranker-query', purpose: 'A check', ticket: undefined, minutes: undefined };

/**
 * The asking for a role's access against a control plane that answers by a script.
 *
 * @param stopAt the call in the midst of which somebody presses Ctrl-C.
 */
export function scene(script: Script, stopAt?: string) {
  const { invocation, notes, signals } = fakeInvocation();
  /** How long each answer takes. */
  const pace = { answerMs: 0 };
  let nowMs = invocation.clock.nowMs();
  const plane = fakeControlPlane({ 'GET /roles': [ok({ items: [ROLE] })], ...script }, (operation) => {
    nowMs += pace.answerMs;
    if (operation === stopAt) signals.deliver('SIGINT');
  });
  const kinds: CredentialKind[] = [];
  const prepare = (role: { readonly credential: CredentialKind }): Promise<void> => {
    kinds.push(role.credential);
    return role.credential === 'assume'
      ? Promise.reject(new OamError('session_too_short', 'Too short.'))
      : Promise.resolve();
  };
  /** Who else of the person's programs works under the grant, and whether one of them had asked for it. */
  const others = { work: false, asked: false };
  const use: Parameters<typeof obtainRole>[1]['use'] = (_grant, asked) =>
    Promise.resolve({
      async leave(giveBack) {
        if (!others.work && (asked || others.asked)) await giveBack();
        return !others.work;
      },
    });
  const clock = { nowMs: () => nowMs };
  const around = { ...invocation, clock, client: plane.client, prepare, use, everyMs: 1 };
  return {
    ...plane,
    notes,
    signals,
    kinds,
    others,
    pace,
    obtain: (wish: Partial<RoleWish> = {}) => obtainRole({ ...WISH, ...wish }, around),
  };
}

/** The call that gives the access back. */
export const RETURN = 'POST /grants/g1/return';
