import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { KernelBoards } from '../../../src/extension/kernels/kernel-boards.ts';
import type { GrantView } from '../../../src/protocol/schemas.ts';
import { aGrant, DEV, PROD } from './views.ts';

describe('what the helpers in notebook kernels are told', () => {
  let folder: string;
  let isWatched: boolean;
  let access: { person: string; grants: readonly GrantView[] | undefined } | undefined;
  let boards: KernelBoards;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oam-boards-'));
    isWatched = true;
    access = undefined;
    boards = new KernelBoards({
      folder: join(folder, 'kernels'),
      helper: '/extension/notebook',
      clock: { nowMs: () => Date.parse('2026-11-23T10:30:05.000Z') },
      isWatched: () => isWatched,
      access: () => access,
    });
  });
  afterEach(async () => {
    boards.dispose();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const fileAt = (host: string): string => boards.environment(host)['OAM_ACCESS_FILE'] ?? '';

  /** The board once it says so. */
  async function saying(host: string, isSo: (said: Record<string, unknown>) => boolean): Promise<unknown> {
    for (;;) {
      const text = await readFile(fileAt(host), 'utf8').catch(() => '{}');
      const said = JSON.parse(text) as Record<string, unknown>;
      if (isSo(said)) return said;
      await delay(10);
    }
  }

  it('is named by variables that stay the same, for each workspace', async () => {
    assert.equal(boards.environment(PROD.host)['OAM_NOTEBOOK'], '/extension/notebook');
    assert.equal(fileAt(PROD.host), fileAt(PROD.host));
    assert.notEqual(fileAt(PROD.host), fileAt(DEV.host));
    await saying(PROD.host, ({ workspace }) => workspace === PROD.host);
    await saying(DEV.host, ({ workspace }) => workspace === DEV.host);
    assert.equal((await stat(fileAt(PROD.host))).mode & 0o777, 0o600);
  });

  it('is who is signed in and what they hold there that works everywhere, and nothing where that is not known', async () => {
    const own = { ...aGrant().role, credential: 'federated' } as const;
    const elsewhere = { ...aGrant().role, workspace: DEV };
    boards.environment(PROD.host);
    access = {
      person: 'ana@example.com',
      grants: [
        aGrant(),
        aGrant({ id: 'g2', chainId: 'g2', role: own }),
        aGrant({ id: 'g3', chainId: 'g3', role: elsewhere }),
      ],
    };
    boards.look();
    const said = await saying(PROD.host, ({ person }) => person === 'ana@example.com');
    assert.match(JSON.stringify(said), /"held":\[\{"id":"g1",[^\]]*\}\]/);
    access = { person: 'ana@example.com', grants: undefined };
    boards.look();
    await saying(PROD.host, ({ held }) => held === null);
    access = undefined;
    boards.look();
    await saying(PROD.host, ({ person }) => person === null);
  });

  it('is why a program got no token, until one gets one', async () => {
    const source = boards.telling(PROD.host, {
      token: () => Promise.resolve({ accessToken: 'secret', expiresAtMs: 0 }),
    });
    boards.refused(PROD.host, { code: 'not_signed_in', status: 401, sentence: 'Nobody.' });
    await saying(PROD.host, ({ refusal }) => JSON.stringify(refusal ?? null).includes('not_signed_in'));
    await source.token();
    const said = await saying(PROD.host, ({ refusal }) => refusal === null);
    assert(!JSON.stringify(said).includes('secret'));
  });

  it('is not written while no notebook is open, and goes with the window', async () => {
    boards.environment(PROD.host);
    await saying(PROD.host, ({ workspace }) => workspace === PROD.host);
    isWatched = false;
    access = { person: 'ana@example.com', grants: [] };
    boards.look();
    isWatched = true;
    access = { person: 'lena@example.com', grants: [] };
    boards.look();
    // What came first was never there: writes come one after the other.
    await saying(PROD.host, ({ person }) => {
      assert.notEqual(person, 'ana@example.com');
      return person === 'lena@example.com';
    });
    const file = fileAt(PROD.host);
    boards.dispose();
    while ((await readdir(join(folder, 'kernels'))).some((name) => file.endsWith(name))) await delay(10);
  });
});
