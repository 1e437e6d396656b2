import { hasOwnPath } from '../../domain/role.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import type { Folder, FolderState } from '../injection/folder-injection.ts';
import type { Localise } from '../localise.ts';
import type { Command } from '../product.ts';
import { folderLine } from '../status-bar/status-words.ts';
import { timeLeftWords } from '../time-words.ts';

/** A folder, and what its programs have. */
export interface FolderPlace {
  readonly folder: Folder;
  readonly state: FolderState;
  /** Whether kernels of the window are pointed there as they start. */
  readonly atKernelStart: boolean;
  /** Whether Databricks' own extension signs the folder's notebooks in. */
  readonly hasRival: boolean;
}

/** A terminal that was opened as a role. */
export interface RolePlace {
  readonly grant: Pick<GrantView, 'chainId' | 'role'>;
  readonly show: () => void;
}

/** Everywhere in a window that programs get an answer, and who asks. */
export interface Places {
  /** Who is signed in. */
  readonly userName: string | undefined;
  readonly folders: readonly FolderPlace[];
  readonly terminals: readonly RolePlace[];
  /** The person's grants that are not over. */
  readonly grants: readonly GrantView[];
  readonly nowMs: number;
}

/** A place, whom it answers as, and what a pick of it does. */
export interface PlaceLine {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  readonly act: Command | (() => void) | undefined;
}

/** All places of a window in words. */
export function placeLines(l10n: Localise, places: Places): PlaceLine[] {
  return [
    ...places.folders.map((place) => folderPlace(l10n, place, places)),
    ...places.terminals.map((place) => rolePlace(l10n, place, places)),
  ];
}

function folderPlace(l10n: Localise, place: FolderPlace, places: Places): PlaceLine {
  const { folder, state } = place;
  const label = `$(folder) ${folder.name}`;
  if (state.kind !== 'active') {
    const act = mending(state);
    const detail = folderLine(l10n, state);
    return {
      label,
      description: '',
      detail: act === 'useInFolder' ? `${detail} ${l10n.t('Press Enter to use it here.')}` : detail,
      act,
    };
  }
  const { workspace } = state;
  const held = places.grants
    .filter(({ role, state: grant }) => grant === 'active' && role.workspace.host === workspace.host)
    .filter(({ role }) => !hasOwnPath(role.credential))
    .map((grant) => withTimeLeft(l10n, grant, places.nowMs));
  const rights =
    held.length === 0
      ? l10n.t('Terminals, tasks, debug sessions and tests answer as you, with your everyday access.')
      : l10n.t('Terminals, tasks, debug sessions and tests answer as you, with {0}.', held.join(', '));
  return {
    label,
    description: l10n.t('{0} in {1}', places.userName ?? '', workspace.name),
    detail: `${rights} ${kernelWords(l10n, place)}`,
    act: undefined,
  };
}

function kernelWords(l10n: Localise, { atKernelStart, hasRival }: FolderPlace): string {
  if (hasRival) return l10n.t("Notebook kernels work as Databricks' own extension says, which wins there.");
  return atKernelStart
    ? l10n.t('Notebook kernels too.')
    : l10n.t(
        'Notebook kernels are set up after their first cell, because the folders of this window do not agree.',
      );
}

function rolePlace(l10n: Localise, { grant, show }: RolePlace, places: Places): PlaceLine {
  const live = places.grants.find(({ chainId, state }) => chainId === grant.chainId && state === 'active');
  return {
    label: `$(terminal) ${l10n.t('as {0}', grant.role.title)}`,
    description:
      grant.role.credential === 'assume'
        ? l10n.t('{0} in {1}', places.userName ?? '', grant.role.workspace.name)
        : l10n.t("the role's service principal in {0}", grant.role.workspace.name),
    detail:
      live === undefined
        ? l10n.t('Its access has ended: what runs there gets no new token.')
        : l10n.t(
            "This terminal has the role's rights and nothing of yours: {0}.",
            withTimeLeft(l10n, live, places.nowMs),
          ),
    act: show,
  };
}

function withTimeLeft(l10n: Localise, { role, endsAt }: GrantView, nowMs: number): string {
  return endsAt === null
    ? role.title
    : l10n.t('{0} ({1})', role.title, timeLeftWords(l10n, Date.parse(endsAt), nowMs));
}

function mending(state: Exclude<FolderState, { kind: 'active' }>): Command {
  switch (state.kind) {
    case 'unasked':
    case 'declined':
      return 'useInFolder';
    case 'alreadySet':
      return 'diagnose';
    case 'waiting':
      return state.for === 'signIn' ? 'signIn' : 'useInFolder';
  }
}
