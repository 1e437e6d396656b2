import { type AssetKind, type AssetRight, isOn, levelSuffices } from '../../domain/asset-right.ts';
import { SENSITIVITIES } from '../../domain/role.ts';
import type { RoleView } from '../../protocol/schemas.ts';
import { canBeAsked, likelyOutlook } from './request-draft.ts';

/** What somebody needs to do something. */
export interface Need {
  readonly kind: AssetKind;
  /** As Databricks shows it, of a model or feature in full. */
  readonly name: string;
  /** Undefined where it is not known which: any right on it may do. */
  readonly level: string | undefined;
}

/**
 * The roles that would allow what somebody needs, the smallest first: those that can be asked for, of the least
 * sensitivity, that give the least besides, that are given soonest.
 */
export function rolesFor(need: Need, roles: readonly RoleView[]): RoleView[] {
  return roles.filter((role) => role.rights.some((right) => suffices(right, need))).sort(bySize(need));
}

function suffices(right: AssetRight, { kind, name, level }: Need): boolean {
  return (
    right.kind === kind &&
    isOn(right, name) &&
    (level === undefined || levelSuffices(kind, right.level, level))
  );
}

const SOONEST: readonly RoleView['outlook']['kind'][] = [
  'granted_at_once',
  'needs_approval',
  'unavailable',
  'refused',
];

function bySize(need: Need): (a: RoleView, b: RoleView) => number {
  const keys: readonly ((role: RoleView) => number)[] = [
    (role) => (canBeAsked(role) ? 0 : 1),
    (role) => SENSITIVITIES.indexOf(role.sensitivity),
    (role) => breadth(role, need),
    (role) => SOONEST.indexOf(likelyOutlook(role).kind),
    (role) => role.maxMinutes,
  ];
  return (a, b) => {
    for (const key of keys) {
      const order = key(a) - key(b);
      if (order !== 0) return order;
    }
    return a.title.localeCompare(b.title);
  };
}

/** A right on all of a kind outweighs any number of rights on single things. */
const OF_MANY = 1_000;

function breadth({ rights }: RoleView, { name, level }: Need): number {
  return rights
    .filter((right) => right.name !== name || right.level !== level)
    .reduce((sum, right) => sum + (right.name.endsWith('*') ? OF_MANY : 1), 0);
}
