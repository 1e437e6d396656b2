import type { SessionStore } from '../../identity/index.ts';

/** The part of a keychain that a session needs. */
export interface Keychain {
  getPassword(service: string, account: string): Promise<string | null>;
  setPassword(service: string, account: string, password: string): Promise<void>;
  deletePassword(service: string, account: string): Promise<boolean>;
}

const SERVICE = 'databricks-ml-oam';

/**
 * Opens the keychain of the operating system, or nothing: many machines have none (containers, servers), and that is
 * no error. Loaded on demand because it is native code.
 *
 * @param load how the native module is had; from npm's `keytar` unless given.
 */
export async function openKeychain(
  load: () => Promise<Keychain> = loadKeytar,
): Promise<Keychain | undefined> {
  try {
    const keychain = await load();
    // The module may load and still have nobody to talk to: the first call tells.
    await keychain.getPassword(SERVICE, 'probe');
    return keychain;
  } catch {
    return undefined;
  }
}

/** Keeps the session for one control plane in the keychain. */
export function keychainSessionStore(keychain: Keychain, controlPlaneUrl: string): SessionStore {
  return {
    read: async () => (await keychain.getPassword(SERVICE, controlPlaneUrl)) ?? undefined,
    write: (value) => keychain.setPassword(SERVICE, controlPlaneUrl, value),
    async clear() {
      await keychain.deletePassword(SERVICE, controlPlaneUrl);
    },
  };
}

async function loadKeytar(): Promise<Keychain> {
  const { default: keytar } = await import('keytar');
  return keytar;
}
