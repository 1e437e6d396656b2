/** The object types of the permissions API with their levels, weakest first. Source: databricks-apis.md §2. */
export const LEVELS = {
  clusters: ['CAN_ATTACH_TO', 'CAN_RESTART', 'CAN_MANAGE'],
  jobs: ['CAN_VIEW', 'CAN_MANAGE_RUN', 'CAN_MANAGE', 'IS_OWNER'],
  experiments: ['CAN_READ', 'CAN_EDIT', 'CAN_MANAGE'],
  'serving-endpoints': ['CAN_VIEW', 'CAN_QUERY', 'CAN_MANAGE'],
  authorization: ['CAN_USE'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** One of the object types that the stand-in has. */
export type ObjectType = keyof typeof LEVELS;

/** True for an object type that the stand-in has. */
export function isObjectType(type: string): type is ObjectType {
  return Object.hasOwn(LEVELS, type);
}

/** What a level lets somebody do, for `permissionLevels`. */
export const LEVEL_DESCRIPTIONS: Readonly<Record<string, string>> = {
  CAN_ATTACH_TO: 'Can attach to the cluster',
  CAN_RESTART: 'Can attach to, start, restart and terminate the cluster',
  CAN_VIEW: 'Can view',
  CAN_QUERY: 'Can view and query',
  CAN_READ: 'Can read',
  CAN_EDIT: 'Can edit',
  CAN_USE: 'Can use',
  CAN_MANAGE_RUN: 'Can trigger and cancel runs',
  CAN_MANAGE: 'Can manage, also permissions',
  IS_OWNER: 'Is the owner',
};

/** How strong a level is within its type; -1 for none and for unknown ones. */
export function strength(type: ObjectType, level: string | undefined): number {
  const levels: readonly string[] = LEVELS[type];
  return level === undefined ? -1 : levels.indexOf(level);
}
