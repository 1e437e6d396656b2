import { homedir } from 'node:os';
import { join } from 'node:path';

import type { Invocation } from '../invocation.ts';

/** The user's folder for the lock and for which control planes are in use. No session and no token lies there. */
export function stateFolder(env: Invocation['env'], platform = process.platform): string {
  return join(base(env, platform), 'databricks-ml-oam');
}

function base(env: Invocation['env'], platform: NodeJS.Platform): string {
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
