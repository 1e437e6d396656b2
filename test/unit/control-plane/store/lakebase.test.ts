import assert from 'node:assert/strict';

import { lakebasePassword } from '../../../../src/control-plane/store/lakebase.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import { HOUR_MS } from '../../../../src/domain/time.ts';

describe('the changing password of a Lakebase database', () => {
  it('stays masked when the next one has taken its place: it opens the database until its own end', async () => {
    const redactor = createRedactor();
    let nowMs = 0;
    let made = 0;
    const passwords = lakebasePassword({
      client: {
        databaseCredential: () => {
          made += 1;
          return Promise.resolve({
            password: `a-password-of-lakebase-${made}`,
            expiresAtMs: nowMs + HOUR_MS,
          });
        },
      },
      target: { kind: 'instance', name: 'oam' },
      redactor,
      clock: { nowMs: () => nowMs },
    });
    const first = await passwords.take();
    nowMs += HOUR_MS - 1;
    const second = await passwords.take();
    assert.notEqual(second, first);
    assert.ok(!redactor.redact(`refused: ${first}, ${second}`).includes('a-password'));
  });
});
