import type { AssetKind } from '../../domain/asset-right.ts';
import type { RoleView } from '../../protocol/schemas.ts';
import type { Need } from '../requests/smallest-role.ts';

/** Words that stand on every line on which Databricks says no, whatever program prints it. */
const REFUSAL =
  /PERMISSION_DENIED|PermissionDenied|does not have (?:permission|\S+(?: \S+)? (?:on|permissions on)) /;

/** Longer lines are data, not messages. */
const LONGEST_LINE = 4_000;

/** Colours and cursor moves of terminals, and the links that they draw. Source: ECMA-48. */
const CONTROL = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

/** True for a text that may hold a refusal: cheap, for output that never ends. */
export function mayRefuse(text: string): boolean {
  return (
    text.includes('PERMISSION_DENIED') || text.includes('PermissionDenied') || text.includes('does not have ')
  );
}

/** The lines of a text on which Databricks refuses something, as they read without colours. */
export function refusalsIn(text: string): string[] {
  if (!mayRefuse(text)) return [];
  return text
    .replace(CONTROL, '')
    .split(/\r?\n|\r/)
    .filter((line) => line.length <= LONGEST_LINE && REFUSAL.test(line))
    .map((line) => line.trim());
}

/** How Databricks' messages name levels: by what somebody wanted to do. */
const VERBS: Readonly<Record<Exclude<AssetKind, 'models' | 'features'>, Readonly<Record<string, string>>>> = {
  endpoints: { view: 'CAN_VIEW', query: 'CAN_QUERY', manage: 'CAN_MANAGE' },
  experiments: { view: 'CAN_READ', read: 'CAN_READ', edit: 'CAN_EDIT', manage: 'CAN_MANAGE' },
  clusters: { attach: 'CAN_ATTACH_TO', restart: 'CAN_RESTART', manage: 'CAN_MANAGE' },
  jobs: { view: 'CAN_VIEW', 'manage run': 'CAN_MANAGE_RUN', manage: 'CAN_MANAGE' },
};

const NOUNS: Readonly<Record<string, AssetKind>> = {
  endpoint: 'endpoints',
  'serving endpoint': 'endpoints',
  'serving-endpoints': 'endpoints',
  experiment: 'experiments',
  experiments: 'experiments',
  job: 'jobs',
  jobs: 'jobs',
  cluster: 'clusters',
  clusters: 'clusters',
  'routine or model': 'models',
  'registered model': 'models',
  model: 'models',
  function: 'models',
  table: 'features',
  feature: 'features',
};

/** `User does not have EXECUTE on Routine or Model 'prod.recsys.ranker'.` */
const PRIVILEGE = /does not have (?<level>[A-Z][A-Z_ ]*[A-Z]) on (?<noun>[A-Za-z ]+?) '(?<name>[^']+)'/;
/** `… does not have permission 'Query' on endpoint 'recsys-ranker-prod'.` */
const PERMISSION = /does not have permission '(?<verb>[^']+)' on (?<noun>[A-Za-z -]+?) '(?<name>[^']+)'/;
/** `… does not have Manage Run permissions on job 17.`, `… on /clusters/0101-120000-ab.`, `… Attach permissions on 0101-…`. */
const PERMISSIONS =
  /does not have (?<verb>[A-Za-z]+(?: [A-Za-z]+)?) permissions? on (?:\/?(?<noun>[a-z-]+)[ /])?'?(?<name>[^\s'.]+)/;
/** Clusters are named by their ids only: a date, a time, a word. */
const CLUSTER_ID = /^\d{4}-\d{6}-\w+$/;

/**
 * What somebody needed on whom Databricks refused something. Where the message is none that is known, the name in it of
 * something that a role gives a right on will do: that role is meant, or none.
 */
export function needIn(refusal: string, roles: readonly RoleView[]): Need | undefined {
  const found = PRIVILEGE.exec(refusal) ?? PERMISSION.exec(refusal) ?? PERMISSIONS.exec(refusal);
  const { level, verb, noun, name } = found?.groups ?? {};
  if (name !== undefined) {
    const kind = NOUNS[(noun ?? '').toLowerCase()] ?? (CLUSTER_ID.test(name) ? 'clusters' : undefined);
    if (kind === 'models' || kind === 'features') {
      return { kind, name, level: level?.replaceAll(' ', '_') };
    }
    if (kind !== undefined) return { kind, name, level: VERBS[kind][(verb ?? '').toLowerCase()] };
  }
  const named = roles
    .flatMap(({ rights }) => rights)
    .filter((right) => !right.name.endsWith('*') && holdsName(refusal, right.name))
    .sort((a, b) => b.name.length - a.name.length)[0];
  return named === undefined ? undefined : { kind: named.kind, name: named.name, level: undefined };
}

/** True where a name stands in a text by itself: `ranker` is not meant by `ranker-old`. */
function holdsName(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    const before = text[at - 1] ?? ' ';
    const after = text.slice(at + name.length);
    if (!/[\w.-]/.test(before) && !/^(?:[\w-]|\.\w)/.test(after)) return true;
  }
  return false;
}
