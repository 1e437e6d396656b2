import assert from 'node:assert/strict';

import { Cleanup } from '../../demo/stage/cleanup.ts';
import { playCrashes, type Victim } from './crashes.ts';

describe('kill -9 in the middle of giving and taking away', function () {
  this.timeout(300_000);
  const seed = Number(process.env['OAM_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

  for (const victim of ['database', 'both'] satisfies Victim[]) {
    it(`of the ${victim === 'both' ? 'control plane with its database' : victim} loses nothing and doubles nothing`, async () => {
      const cleanup = new Cleanup();
      try {
        const crashes = await playCrashes(cleanup, {
          ...{ runs: 2, seed, victims: [victim] },
          onCrash: () => undefined,
        });
        assert.equal(crashes.length, 2);
        assert.deepEqual(
          crashes.flatMap(({ lost, doubled }) => [...lost, ...doubled]),
          [],
          `seed ${seed}`,
        );
      } finally {
        await cleanup.run();
      }
    });
  }
});
