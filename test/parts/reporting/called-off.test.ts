import assert from 'node:assert/strict';

import { startWatched } from '../../reporting/watched-process.ts';

describe('npm test that is called off', function () {
  this.timeout(60_000);

  it('leaves nothing running', async () => {
    const running = await startWatched('test/run.ts', ['faults']);
    try {
      await running.seen(/bin\/postgres -D/);
      process.kill(running.process.pid, 'SIGINT');
      assert.deepEqual(await running.process.ended, { code: 130, signal: null });
      assert.deepEqual(running.others(), []);
    } finally {
      await running.close();
    }
  });
});
