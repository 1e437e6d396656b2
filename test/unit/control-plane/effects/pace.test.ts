import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { createPace, type Pace } from '../../../../src/control-plane/effects/pace.ts';

const HOST = 'https://w.cloud.databricks.com';
const OTHER = 'https://o.cloud.databricks.com';

describe('the pace of writes to Databricks', () => {
  let pace: Pace;
  let opened: () => void;
  beforeEach(() => {
    opened = () => undefined;
    pace = createPace(() => {
      opened();
    });
  });
  afterEach(() => {
    pace.stop();
  });

  it('knows no limit before Databricks names one', () => {
    for (let write = 0; write < 1_000; write += 1) {
      assert.ok(pace.take(HOST));
      pace.passed(HOST);
    }
    assert.deepEqual(pace.slowHosts(), []);
  });

  it('lets nothing out for as long as Databricks asked, on that host, and says when it is over', async () => {
    const start = performance.now();
    assert.ok(pace.take(HOST));
    const open = new Promise<void>((resolve) => {
      opened = resolve;
    });
    pace.throttled(HOST, 1);
    assert.deepEqual(pace.slowHosts(), [HOST]);
    assert.equal(pace.take(HOST), false);
    assert.ok(pace.take(OTHER));
    await open;
    assert.ok(performance.now() - start >= 1_000);
    assert.ok(pace.take(HOST));
  });

  it('learns once from refusals of what was sent at once', async () => {
    for (let write = 0; write < 8; write += 1) pace.take(HOST);
    for (let write = 0; write < 8; write += 1) pace.throttled(HOST, 0);
    await delay(260);
    assert.ok(pace.take(HOST));
    await delay(260);
    assert.ok(pace.take(HOST), 'eight refusals of one moment were taken for eight');
  });

  it('takes back a right that was not used', async () => {
    pace.throttled(HOST, 0);
    await delay(260);
    assert.ok(pace.take(HOST));
    pace.giveBack(HOST);
    assert.ok(pace.take(HOST));
  });

  it('keeps a distance after a refusal, and loses it again when all goes well', async () => {
    pace.throttled(HOST, 0);
    await delay(260);
    assert.ok(pace.take(HOST));
    assert.equal(pace.take(HOST), false, 'two writes at once right after a refusal');
    await delay(260);
    assert.ok(pace.take(HOST));
    for (let write = 0; write < 300; write += 1) pace.passed(HOST);
    assert.deepEqual(pace.slowHosts(), [HOST], 'closed still since the last write');
    await delay(260);
    assert.ok(pace.take(HOST));
    assert.ok(pace.take(HOST));
  });
});
