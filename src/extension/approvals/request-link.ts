import { isOpenRequest } from '../access-view/access-data.ts';
import type { RequestView } from '../../protocol/schemas.ts';
import type { Me } from '../../protocol/person.ts';
import type { Localise } from '../localise.ts';

/** A link out of a chat or a mail. Anybody can make one: it names a request, and decides nothing about it. */
export interface RequestLink {
  readonly id: string;
  readonly nonce: string;
}

const PATH = /^\/request\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

const NONCE = /^[\w-]{43}$/;

/** True for an address of the editor that means a request, whole or not. */
export function meansRequest(uri: URL): boolean {
  return uri.pathname === '/request' || uri.pathname.startsWith('/request/');
}

/** The link in an address; undefined where it is not whole. */
export function requestLinkOf(uri: URL): RequestLink | undefined {
  const id = PATH.exec(uri.pathname)?.[1];
  const [nonce, ...more] = uri.searchParams.getAll('nonce');
  if (id === undefined || nonce === undefined || more.length > 0 || !NONCE.test(nonce)) return undefined;
  return { id, nonce };
}

/** Where a request that was opened is shown, and what is said where it is not in the view "Approvals". */
export type Opened =
  | { readonly view: 'approvals'; readonly words: undefined }
  | { readonly view: 'approvals' | 'access'; readonly words: string };

/** What somebody sees who opened a request by a link. */
export function openedRequest(
  l10n: Localise,
  request: RequestView,
  data: { readonly me: Pick<Me, 'iss' | 'sub'>; readonly toApprove: readonly Pick<RequestView, 'id'>[] },
): Opened {
  const { requester, role } = request;
  if (data.toApprove.some(({ id }) => id === request.id)) return { view: 'approvals', words: undefined };
  const isOwn = requester.iss === data.me.iss && requester.sub === data.me.sub;
  if (isOwn && isOpenRequest(request)) {
    return {
      view: 'access',
      words: l10n.t('This is your own request for {0}. Others decide on it.', role.title),
    };
  }
  return { view: isOwn ? 'access' : 'approvals', words: stateWords(l10n, request) };
}

/** What became of a request, for somebody whom it waited for. */
export function stateWords(l10n: Localise, request: RequestView): string {
  const { state, approvals, requester, role, breakGlass } = request;
  const who = requester.displayName;
  if (breakGlass && state === 'approved') {
    return l10n.t('Taken in an emergency, without approval: {0} by {1}. Review it.', role.title, who);
  }
  const last = approvals.findLast(({ verdict }) => verdict === state)?.approver.displayName;
  switch (state) {
    case 'pending':
    case 'awaiting_requester':
      return l10n.t('Waits for others, not for you: {0} for {1}.', role.title, who);
    case 'approved':
      return last === undefined
        ? l10n.t('Already handled: {0} for {1} was approved.', role.title, who)
        : l10n.t('Already handled: {0} for {1} was approved by {2}.', role.title, who, last);
    case 'denied':
      return last === undefined
        ? l10n.t('Already handled: {0} for {1} was denied.', role.title, who)
        : l10n.t('Already handled: {0} for {1} was denied by {2}.', role.title, who, last);
    case 'cancelled':
      return l10n.t('No longer waits: {1} took the request for {0} back.', role.title, who);
    case 'lapsed':
      return l10n.t('No longer waits: nobody answered the request for {0} of {1} in time.', role.title, who);
  }
}
