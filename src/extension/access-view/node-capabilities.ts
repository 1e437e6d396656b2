import { hasOwnPath } from '../../domain/role.ts';
import type { GrantView, RoleView } from '../../protocol/schemas.ts';
import { canBeAsked } from '../requests/request-draft.ts';
import type { AccessNode } from './access-nodes.ts';
import { assetAddress } from './asset-address.ts';

/** True where a request for the role makes sense now. */
export function takesRequest(role: RoleView, taken: 'asked' | 'held' | undefined): boolean {
  return taken === undefined && canBeAsked(role);
}

/** True where a grant can be given back. */
export function canBeReturned({ state }: Pick<GrantView, 'state'>): boolean {
  return state === 'scheduled' || state === 'provisioning' || state === 'active';
}

/** True where a grant can be asked to last longer. */
export function canBeExtended({ state }: Pick<GrantView, 'state'>): boolean {
  return state === 'active';
}

/** True where a terminal can be opened as the grant's role: it acts as somebody else, or with other rights, on a path of its own. */
export function hasOwnTerminal({ state, role }: Pick<GrantView, 'state' | 'role'>): boolean {
  return state === 'active' && hasOwnPath(role.credential);
}

/**
 * What can be done with a line, as flags that the manifest's menus match one by one (`viewItem =~ /\.return\b/`): one
 * line can have several.
 */
export function contextValue(node: AccessNode): string {
  const flags: string[] = [node.kind];
  if (nameOf(node) !== undefined) flags.push('copy');
  if (addressOf(node) !== undefined) flags.push('open');
  if (node.kind === 'asset' && node.asset.kind !== 'groups') flags.push('ask');
  if (node.kind === 'role' && takesRequest(node.role, node.taken)) flags.push('request');
  if (node.kind === 'request') flags.push('cancel');
  if (node.kind === 'grant') {
    if (canBeExtended(node.grant)) flags.push('extend');
    if (canBeReturned(node.grant)) flags.push('return');
    if (hasOwnTerminal(node.grant)) flags.push('terminal');
  }
  return flags.join('.');
}

/** The name of what a line stands for, as somebody would paste it; undefined where it stands for no thing. */
export function nameOf(node: AccessNode): string | undefined {
  switch (node.kind) {
    case 'workspace':
      return node.workspace.host;
    case 'role':
      return node.role.id;
    case 'request':
      return node.request.role.id;
    case 'grant':
      return node.grant.role.id;
    case 'asset':
      return node.asset.name;
    case 'section':
    case 'assets':
    case 'more':
    case 'words':
      return undefined;
  }
}

/** Where Databricks shows what a line stands for; undefined where it shows no such thing. */
export function addressOf(node: AccessNode): string | undefined {
  switch (node.kind) {
    case 'workspace':
      return node.workspace.host;
    case 'asset':
      return assetAddress(node.workspace.host, node.asset);
    case 'section':
    case 'role':
    case 'request':
    case 'grant':
    case 'assets':
    case 'more':
    case 'words':
      return undefined;
  }
}
