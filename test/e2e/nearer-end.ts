import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import pg from 'pg';

import type { Stage } from '../../demo/stage/stage.ts';

/**
 * Lets all access that is active have begun earlier, in the database of a stage's control plane: a test does not wait for
 * half an hour, and a clock that is off is noticed.
 */
export async function bringEndsNearer({ folder }: Stage, byMs: number): Promise<void> {
  const database = join(folder, 'oam', 'data', 'database');
  const lines = (await readFile(join(database, 'data', 'postmaster.pid'), 'utf8')).split('\n');
  const client = new pg.Client({
    host: lines[4] ?? '',
    port: Number(lines[3]),
    user: 'oam',
    database: 'oam',
    password: (await readFile(join(database, 'password'), 'utf8')).trim(),
  });
  await client.connect();
  try {
    await client.query(
      `update oam.access_grant set activated_at = activated_at - $1::interval, ends_at = ends_at - $1::interval,
        deadline_at = deadline_at - $1::interval where state = 'active'`,
      [`${String(byMs)} milliseconds`],
    );
  } finally {
    await client.end();
  }
}
