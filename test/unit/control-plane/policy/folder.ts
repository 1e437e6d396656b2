import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Duty, Principal } from '../../../../src/domain/principal.ts';

/** The policy that the demo runs with. */
export const DEMO_POLICY = fileURLToPath(new URL('../../../../demo/policy', import.meta.url));

/** What the demo's catalogue takes from the environment. */
export const ENVIRONMENT = {
  OAM_WORKSPACE_PROD: 'http://127.0.0.1:4101',
  OAM_WORKSPACE_DEV: 'http://127.0.0.1:4102',
};

/** A copy of the demo's policy that a test may spoil. */
export interface PolicyFolder {
  readonly path: string;
  /** Replaces a text that must be there. */
  replace(file: string, from: string, to: string): Promise<void>;
  write(file: string, text: string): Promise<void>;
  remove(): Promise<void>;
}

export async function policyFolder(): Promise<PolicyFolder> {
  const path = await mkdtemp(join(tmpdir(), 'oam-policy-'));
  await cp(DEMO_POLICY, path, { recursive: true });
  return {
    path,
    async replace(file, from, to) {
      const text = await readFile(join(path, file), 'utf8');
      if (!text.includes(from)) throw new Error(`Not in ${file}: ${from}`);
      await writeFile(join(path, file), text.replace(from, to));
    },
    write: (file, text) => writeFile(join(path, file), text),
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** Somebody of the demo. */
export function person(sub: string, duty: Duty | undefined, groups: readonly string[]): Principal {
  return {
    iss: 'http://127.0.0.1:4100',
    sub,
    userName: `${sub}@example.com`,
    displayName: sub,
    groups: { kind: 'listed', names: groups },
    duty,
    seenAtMs: 0,
  };
}
