import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { OamError } from '../../domain/errors.ts';
import type { Invocation } from '../invocation.ts';
import type { FolderFlags } from './folder-flags.ts';

/** The policy that is shipped, in the package. The demo runs by it, and the tests hold it. */
const SHIPPED = 'demo/policy';

/** The demo's hosts are known only when it runs; those of a company stand in its catalogue. */
const HOSTS = /env:OAM_WORKSPACE_(\w+)/g;

/**
 * `oam policy init`: writes the shipped policy into a folder, to start from: catalogue, rules, schema and cases.
 *
 * @throws {OamError} `folder_not_empty`: nothing is written over.
 */
export async function initPolicy(folder: string, flags: FolderFlags, { answer }: Invocation): Promise<void> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) {
    throw new OamError('folder_not_empty', 'There is something in the folder already. Name a new one.', {
      detail: folder,
    });
  }
  await cp(shippedPolicy(), folder, { recursive: true });
  const catalogue = join(folder, 'catalogue.yaml');
  const text = await readFile(catalogue, 'utf8');
  await writeFile(
    catalogue,
    text.replace(HOSTS, (_, name: string) => `https://ml-${name.toLowerCase()}.cloud.databricks.com`),
  );
  if (flags.json) {
    answer(JSON.stringify({ folder }));
    return;
  }
  answer(`A policy to start from is in ${folder}.`);
  answer('Put your own workspaces, teams, groups and roles into its catalogue.yaml; then:');
  answer(`  oam policy check ${folder}`);
  answer(`  oam policy test ${folder}`);
}

/** Beside the program, whether it runs from its bundle or from its source. */
function shippedPolicy(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, SHIPPED)) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, SHIPPED);
}
