import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The user's folder for what `oam`, and an editor that shares its session, keep: which control planes are in use, locks,
 * and sessions, sealed with a key that lies in the keychain.
 */
export function stateFolder(env: Environment, platform = process.platform): string {
  return join(base(env, platform), 'databricks-ml-oam');
}

function base(env: Environment, platform: NodeJS.Platform): string {
  // What is relative, or empty, would be another folder in each place that a program is started from.
  const home = absolute(env['HOME']) ?? userInfo().homedir;
  switch (platform) {
    case 'win32':
      return absolute(env['LOCALAPPDATA']) ?? join(home, 'AppData', 'Local');
    case 'darwin':
      return join(home, 'Library', 'Application Support');
    default:
      return absolute(env['XDG_STATE_HOME']) ?? join(home, '.local', 'state');
  }
}

function absolute(folder: string | undefined): string | undefined {
  return folder !== undefined && isAbsolute(folder) ? folder : undefined;
}
