import type { Folder, FolderState } from '../injection/folder-injection.ts';
import type { Localise } from '../localise.ts';
import type { Finding } from './finding.ts';

/** What each folder of a window has of OAM. */
export function folderFindings(
  l10n: Localise,
  folders: readonly Folder[],
  injection: { state(folder: Folder): FolderState },
): Finding[] {
  return folders.map((folder) => ({
    what: l10n.t('Folder {0}', folder.name),
    ...stateWords(l10n, injection.state(folder)),
  }));
}

function stateWords(l10n: Localise, state: FolderState): Omit<Finding, 'what'> {
  switch (state.kind) {
    case 'unasked':
    case 'declined':
      return {
        outcome: 'skipped',
        words: l10n.t("OAM is not used here. 'Use in This Folder' changes that."),
        facts: [],
      };
    case 'alreadySet':
      return {
        outcome: 'warning',
        words: l10n.t(
          'Something else says here where Databricks is and who signs in, and that wins. Take it away to use OAM here.',
        ),
        facts: state.found.map(({ name, where }) => `${name} (${where})`),
      };
    case 'waiting':
      return { outcome: 'warning', words: waitingWords(l10n, state.for), facts: [state.workspace.host] };
    case 'active':
      return {
        outcome: 'ok',
        words: l10n.t('Terminals and notebooks work with {0}.', state.workspace.name),
        facts: [state.workspace.host],
      };
  }
}

function waitingWords(l10n: Localise, what: 'signIn' | 'trust' | 'workspace'): string {
  switch (what) {
    case 'signIn':
      return l10n.t('Terminals and notebooks wait for you to sign in.');
    case 'trust':
      return l10n.t('The folder is not trusted, so its terminals and notebooks get nothing.');
    case 'workspace':
      return l10n.t(
        "The workspace of this folder is not offered any more. Choose another with 'Use in This Folder'.",
      );
  }
}
