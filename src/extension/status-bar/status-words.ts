import type { GrantView } from '../../protocol/schemas.ts';
import type { ConnectionState } from '../connection/connection.ts';
import type { FolderState } from '../injection/folder-injection.ts';
import type { Localise } from '../localise.ts';
import { PRODUCT } from '../product.ts';
import { timeLeftWords } from '../time-words.ts';

/** The status bar's one item. */
export interface StatusWords {
  readonly text: string;
  readonly tooltip: readonly string[];
  readonly spoken: string;
}

/** What the item says; undefined where there is nothing to say. */
export function statusWords(
  l10n: Localise,
  state: ConnectionState,
  folders: readonly FolderState[],
  grants: readonly GrantView[],
  nowMs: number,
): StatusWords | undefined {
  switch (state.kind) {
    case 'notConfigured':
      return undefined;
    case 'starting':
      return words('$(key) OAM', [PRODUCT]);
    case 'signedOut':
      return words(`$(key) ${l10n.t('OAM: sign in')}`, [
        PRODUCT,
        state.expired ? l10n.t('Your session has ended.') : l10n.t('You are signed out.'),
      ]);
    case 'signedIn': {
      const active = folders.find((folder) => folder.kind === 'active');
      const next = grants
        .filter((grant) => grant.state === 'active' && grant.endsAt !== null)
        .map((grant) => ({ grant, endsAtMs: Date.parse(grant.endsAt ?? '') }))
        .sort((a, b) => a.endsAtMs - b.endsAtMs)[0];
      const left = next === undefined ? undefined : timeLeftWords(l10n, next.endsAtMs, nowMs);
      const name = active?.kind === 'active' ? active.workspace.name : 'OAM';
      return words(`$(key) ${left === undefined ? name : `${name} · ${left}`}`, [
        PRODUCT,
        l10n.t('Signed in as {0}', state.session.userName),
        ...[...new Set(folders.map((folder) => folderLine(l10n, folder)))],
        ...(next === undefined || left === undefined
          ? []
          : [l10n.t('Ends next: {0}, {1}', next.grant.role.title, left)]),
      ]);
    }
  }
}

/** A folder's state in a sentence. */
export function folderLine(l10n: Localise, folder: FolderState): string {
  switch (folder.kind) {
    case 'unasked':
    case 'declined':
      return l10n.t('Not in use in this folder.');
    case 'active':
      return l10n.t('New terminals and kernels of this folder work with {0}.', folder.workspace.name);
    case 'alreadySet':
      return l10n.t(
        'This folder sets {0} itself, so OAM leaves its terminals and kernels alone.',
        folder.found[0]?.name ?? 'DATABRICKS_HOST',
      );
    case 'waiting':
      switch (folder.for) {
        case 'signIn':
          return l10n.t('Waits for your sign-in to work with {0} in this folder.', folder.workspace.name);
        case 'trust':
          return l10n.t('This folder is not trusted, so its terminals and kernels get no credentials.');
        case 'workspace':
          return l10n.t(
            'The workspace {0} is not offered any more. Choose another one for this folder.',
            folder.workspace.name,
          );
      }
  }
}

function words(text: string, tooltip: readonly string[]): StatusWords {
  return { text, tooltip, spoken: tooltip.join(', ') };
}
