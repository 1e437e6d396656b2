import type { GrantView, RequestView, RoleView } from '../../protocol/schemas.ts';
import type { Remedy } from '../commands/error-words.ts';
import { canBeAsked, likelyOutlook } from '../requests/request-draft.ts';
import { type AccessData, isAhead, isOpenRequest } from './access-data.ts';
import { type AccessFilter, NO_FILTER } from './access-filter.ts';
import { type Asset, ASSET_KINDS, type AssetKind } from './entitlements.ts';

/** A workspace as the tree and the injection name it. */
export interface WorkspaceRef {
  readonly name: string;
  readonly host: string;
}

/** The parts of a workspace in the tree, in their order. */
export const SECTIONS = ['grants', 'requests', 'roles', 'entitlements', 'closedRoles'] as const;

/** One of {@link SECTIONS}. */
export type Section = (typeof SECTIONS)[number];

interface RoleNode {
  readonly kind: 'role';
  readonly role: RoleView;
  readonly taken: 'asked' | 'held' | undefined;
}

/** A line of the tree "My Access". */
export type AccessNode =
  | { readonly kind: 'workspace'; readonly workspace: WorkspaceRef }
  | {
      readonly kind: 'section';
      readonly section: Section;
      readonly workspace: WorkspaceRef;
      readonly count: number | undefined;
    }
  | RoleNode
  | { readonly kind: 'request'; readonly request: RequestView }
  | { readonly kind: 'grant'; readonly grant: GrantView }
  | {
      readonly kind: 'assets';
      readonly assetKind: AssetKind;
      readonly workspace: WorkspaceRef;
      /** How many match the filter; undefined where nothing is filtered. */
      readonly count: number | undefined;
    }
  | { readonly kind: 'asset'; readonly asset: Asset; readonly workspace: WorkspaceRef }
  /** Stands for the rest of a long list, which comes as soon as this line is seen. */
  | { readonly kind: 'more'; readonly list: AssetsNode; readonly shown: number; readonly rest: Rest }
  | { readonly kind: 'words'; readonly id: string; readonly words: Words };

/** The line above the assets of a kind. */
export type AssetsNode = Extract<AccessNode, { kind: 'assets' }>;

/** How many lines are known besides those that are shown, and whether Databricks has told of all. */
export interface Rest {
  readonly count: number;
  readonly isWhole: boolean;
}

/** What a line says that stands for no thing. */
export type Words =
  | { readonly kind: 'none' }
  | { readonly kind: 'noMatch'; readonly filter: string }
  | { readonly kind: 'notVisible' }
  /** With what a click does about it. */
  | { readonly kind: 'failed'; readonly message: string; readonly remedy: Remedy; readonly host: string };

/** A stable id, so that the tree keeps what is open and selected when it is drawn again. */
export function nodeId(node: AccessNode): string {
  switch (node.kind) {
    case 'workspace':
      return `workspace/${node.workspace.name}`;
    case 'section':
      return `workspace/${node.workspace.name}/${node.section}`;
    case 'role':
      return `role/${node.role.id}`;
    case 'request':
      return `request/${node.request.id}`;
    case 'grant':
      return `grant/${node.grant.id}`;
    case 'assets':
      return `workspace/${node.workspace.name}/assets/${node.assetKind}`;
    case 'asset':
      return `workspace/${node.workspace.name}/asset/${node.asset.kind}/${node.asset.id}`;
    case 'more':
      return `${nodeId(node.list)}/more/${String(node.shown)}`;
    case 'words':
      return `words/${node.id}`;
  }
}

/** The workspaces: those that the control plane named, and any that a role or grant is in besides. */
export function workspaceNodes(pinned: readonly WorkspaceRef[], data: AccessData): AccessNode[] {
  const byName = new Map<string, WorkspaceRef>();
  const all = [
    ...pinned,
    ...data.roles.map(({ workspace }) => workspace),
    ...data.grants.map(({ role }) => role.workspace),
  ];
  for (const workspace of all) {
    if (!byName.has(workspace.name)) byName.set(workspace.name, workspace);
  }
  return [...byName.values()].map((workspace) => ({ kind: 'workspace', workspace }));
}

/** The sections of a workspace; those without a line are left out, entitlements apart. */
export function sectionNodes(
  workspace: WorkspaceRef,
  data: AccessData,
  filter: AccessFilter = NO_FILTER,
): AccessNode[] {
  return SECTIONS.flatMap((section): AccessNode[] => {
    if (section === 'entitlements') return [{ kind: 'section', section, workspace, count: undefined }];
    const count = rowNodes(section, workspace, data, filter).length;
    return count === 0 ? [] : [{ kind: 'section', section, workspace, count }];
  });
}

/** The lines of a section. */
export function rowNodes(
  section: Section,
  workspace: WorkspaceRef,
  data: AccessData,
  filter: AccessFilter = NO_FILTER,
): AccessNode[] {
  switch (section) {
    case 'grants':
      return data.grants
        .filter(
          ({ role, purpose }) =>
            role.workspace.name === workspace.name && filter.matches(role.title, purpose),
        )
        .map((grant) => ({ kind: 'grant', grant }));
    case 'requests':
      return data.requests
        .filter((request) => isOpenRequest(request) && request.role.workspace === workspace.name)
        .filter(({ role, purpose, ticket }) => filter.matches(role.title, role.gives, purpose, ticket ?? ''))
        .map((request) => ({ kind: 'request', request }));
    case 'roles':
      return roleNodes(workspace, data, filter).filter(({ role }) => canBeAsked(role));
    case 'closedRoles':
      return roleNodes(workspace, data, filter).filter(({ role }) => !canBeAsked(role));
    case 'entitlements':
      return ASSET_KINDS.map((assetKind) => ({ kind: 'assets', assetKind, workspace, count: undefined }));
  }
}

function roleNodes(workspace: WorkspaceRef, data: AccessData, filter: AccessFilter): RoleNode[] {
  return data.roles
    .filter((role) => role.workspace.name === workspace.name)
    .filter(({ title, gives, team, rights }) =>
      filter.matches(title, gives, team, ...rights.flatMap(({ name, level }) => [name, level])),
    )
    .sort(byOutlook)
    .map((role) => ({ kind: 'role', role, taken: takenBy(role, data) }));
}

/** Whether a role needs no asking, because it is held or asked for already. */
export function takenBy(role: RoleView, data: AccessData): 'asked' | 'held' | undefined {
  if (data.grants.some((grant) => grant.role.id === role.id && grant.state !== 'failed' && !isAhead(grant)))
    return 'held';
  if (data.requests.some((request) => isOpenRequest(request) && request.role.id === role.id)) return 'asked';
  return undefined;
}

const OUTLOOK_ORDER: readonly RoleView['outlook']['kind'][] = [
  'granted_at_once',
  'needs_approval',
  'unavailable',
  'refused',
];

function byOutlook(a: RoleView, b: RoleView): number {
  return (
    OUTLOOK_ORDER.indexOf(likelyOutlook(a).kind) - OUTLOOK_ORDER.indexOf(likelyOutlook(b).kind) ||
    a.title.localeCompare(b.title)
  );
}
