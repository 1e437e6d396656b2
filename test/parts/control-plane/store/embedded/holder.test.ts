import assert from 'node:assert/strict';

import { startMark } from '../../../../../src/control-plane/store/embedded/processes.ts';
import { hasCode } from '../../../../../src/domain/errors.ts';
import { dataFolderForEach, postmasterPid } from './data-folder.ts';

describe('the holder of the embedded database', function () {
  this.timeout(60_000);
  const dataFolder = dataFolderForEach();

  it('refuses a second live control plane on the folder, from this process and from another', async () => {
    await dataFolder.startFromMade();
    const { said } = await dataFolder.run([dataFolder.path]);
    assert.equal(said.opened, true);
    const refusal = (error: unknown): boolean =>
      hasCode(error, 'data_folder_in_use') &&
      error.message.includes('Another OAM control plane runs on this data folder. Stop it');
    await assert.rejects(dataFolder.open(), refusal);
    const other = await dataFolder.run([dataFolder.path]);
    assert.deepEqual([other.said.opened, other.said.code], [false, 'data_folder_in_use']);
    // The refused ones have done the first no harm.
    assert.ok(await startMark((await postmasterPid(dataFolder.path)) ?? 0));
  });

  it('lets exactly one of many win that start at the same moment', async () => {
    await dataFolder.startFromMade();
    const answers = await Promise.all(Array.from({ length: 8 }, () => dataFolder.run([dataFolder.path])));
    assert.equal(answers.filter(({ said }) => said.opened).length, 1);
    for (const { said } of answers.filter(({ said }) => !said.opened)) {
      assert.equal(said.code, 'data_folder_in_use');
    }
  });
});
