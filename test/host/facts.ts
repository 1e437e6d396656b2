import { readFile } from 'node:fs/promises';

import { FACTS_FILE, type HostFacts } from './names.ts';

/** What the process outside told the tests inside. */
export async function hostFacts(): Promise<HostFacts> {
  const file = process.env[FACTS_FILE];
  if (file === undefined) throw new Error(`${FACTS_FILE} names no file.`);
  return JSON.parse(await readFile(file, 'utf8')) as HostFacts;
}
