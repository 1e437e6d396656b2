import assert from 'node:assert/strict';

import { auditRowId } from '../../../../src/control-plane/audit/row-id.ts';

const AT_MS = Date.parse('2026-11-27T22:00:00.000Z');

describe('the ids of the rows of the trail', () => {
  it('keep rows of one moment in the order in which they were written, and rows of later moments behind them', () => {
    const ids = [
      ...Array.from({ length: 20_000 }, () => auditRowId(AT_MS)),
      ...Array.from({ length: 10 }, (_, later) => auditRowId(AT_MS + 1 + later)),
    ];
    assert.deepEqual(ids.toSorted(), ids);
    assert.equal(new Set(ids).size, ids.length);
  });

  it('are UUIDs of version 7, which tell their moment', () => {
    const id = auditRowId(AT_MS);
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16), AT_MS);
  });
});
