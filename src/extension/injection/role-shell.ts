import type { PointerEnvironment } from '../../broker/index.ts';

/** How a terminal's program is started. */
export interface RoleShell {
  readonly path: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const NAMES: readonly (keyof PointerEnvironment)[] = [
  'DATABRICKS_HOST',
  'DATABRICKS_AUTH_TYPE',
  'DATABRICKS_METADATA_SERVICE_URL',
];

/** What would win over a pointer, or mix with it. */
const RIVALS = [
  'DATABRICKS_TOKEN',
  'DATABRICKS_CONFIG_PROFILE',
  'DATABRICKS_CLIENT_ID',
  'DATABRICKS_CLIENT_SECRET',
];

const PREFIX = 'OAM_ROLE_';

/**
 * A shell whose programs act as a role. VS Code lays the folder's pointers, which are the person's, over a terminal's
 * own environment, so the role's come under other names and are put in place by the first command of the shell. The
 * address is in no command line, where other users could read it.
 */
export function roleShell(platform: NodeJS.Platform, shell: string, pointer: PointerEnvironment): RoleShell {
  const environment: Record<string, string> = {};
  for (const name of NAMES) environment[PREFIX + name] = pointer[name];
  if (platform === 'win32') {
    const script = [
      ...NAMES.map((name) => `$env:${name} = $env:${PREFIX}${name}; Remove-Item Env:${PREFIX}${name}`),
      ...RIVALS.map((name) => `Remove-Item Env:${name} -ErrorAction SilentlyContinue`),
    ].join('; ');
    return { path: 'powershell.exe', args: ['-NoLogo', '-NoExit', '-Command', script], environment };
  }
  const script = [
    ...NAMES.map((name) => `export ${name}="$${PREFIX}${name}"`),
    `unset ${[...NAMES.map((name) => PREFIX + name), ...RIVALS].join(' ')}`,
    'exec "$0" -i',
  ].join('; ');
  return { path: '/bin/sh', args: ['-c', script, shell === '' ? '/bin/sh' : shell], environment };
}
