import { homedir } from 'node:os';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The user's folder for what `oam`, and an editor that shares its session, keep: which control planes are in use, locks,
 * and sessions, sealed with a key that lies in the keychain.
 */
export function stateFolder(env: Environment, platform = process.platform): string {
  return join(base(env, platform), 'databricks-ml-oam');
}

function base(env: Environment, platform: NodeJS.Platform): string {
  const home = env['HOME'] ?? homedir();
  switch (platform) {
    case 'win32':
      return env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local');
    case 'darwin':
      return join(home, 'Library', 'Application Support');
    default:
      return env['XDG_STATE_HOME'] ?? join(home, '.local', 'state');
  }
}
