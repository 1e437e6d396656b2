import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A desktop's keychain: a real gnome-keyring, unlocked, on a bus of its own. */
export interface Keyring {
  /** For programs that are to find it, and a home that is empty otherwise. */
  readonly env: Readonly<Record<string, string>>;
  /** The home. */
  readonly home: string;
  lock(): Promise<void>;
  close(): Promise<void>;
}

/** Why there is none on this machine; undefined where one can be started. */
export function noKeyring(): string | undefined {
  const missing = ['dbus-daemon', 'dbus-send', 'gnome-keyring-daemon'].filter(
    (program) => !isInstalled(program),
  );
  return missing.length === 0 ? undefined : `${missing.join(' and ')} not installed`;
}

/** Starts it. The bus goes with its process, and the keyring with the bus. */
export async function startKeyring(): Promise<Keyring> {
  const home = await mkdtemp(path.join(tmpdir(), 'oam-keyring-'));
  const base = { PATH: process.env['PATH'] ?? '', HOME: home, XDG_RUNTIME_DIR: home };
  const bus = spawn('dbus-daemon', ['--session', '--nofork', '--print-address'], {
    env: base,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const env = { ...base, DBUS_SESSION_BUS_ADDRESS: await firstLine(bus) };
  // It goes into the background when it answers.
  const keyring = spawn('gnome-keyring-daemon', ['--unlock', '--components=secrets'], {
    env,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  keyring.stdin.end('the password of the keyring');
  await ended(keyring);
  const end = (): boolean => bus.kill('SIGKILL');
  process.once('exit', end);
  return {
    env,
    home,
    async lock() {
      const service = ['--print-reply', '--dest=org.freedesktop.secrets', '/org/freedesktop/secrets'];
      const login = 'array:objpath:/org/freedesktop/secrets/collection/login';
      await ended(
        spawn('dbus-send', ['--session', ...service, 'org.freedesktop.Secret.Service.Lock', login], { env }),
      );
    },
    async close() {
      process.removeListener('exit', end);
      const gone = once(bus, 'exit');
      end();
      await gone;
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`It failed: ${child.spawnfile}`);
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes('\n')) return text.slice(0, text.indexOf('\n'));
  }
  throw new Error(`It ended before it said anything: ${child.spawnfile}`);
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
