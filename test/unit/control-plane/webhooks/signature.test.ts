import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';

import { signatureHeaders, signingKey } from '../../../../src/control-plane/webhooks/signature.ts';
import { SECOND_MS } from '../../../../src/domain/time.ts';

function secretOf(bytes: Uint8Array): string {
  return `whsec_${Buffer.from(bytes).toString('base64')}`;
}

describe('a signed webhook', () => {
  const secret = secretOf(randomBytes(32));
  const key = signingKey(secret, 'TEST');
  const message = { id: 'msg_1', sentAtMs: Math.floor(Date.now() / SECOND_MS) * SECOND_MS, body: '{"a":1}' };

  it("bears the specification's own example", () => {
    const example = signingKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'EXAMPLE');
    const headers = signatureHeaders([example], {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      sentAtMs: 1_614_265_330_000,
      body: '{"test": 2432232314}',
    });
    assert.deepEqual(headers, {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is taken by the reference library, whatever it says and whatever the key', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 24, maxLength: 64 }),
        fc.json(),
        fc.uuid(),
        (bytes, body, id) => {
          const own = secretOf(bytes);
          const headers = signatureHeaders([signingKey(own, 'TEST')], { ...message, id, body });
          assert.deepEqual(new Webhook(own).verify(body, headers), JSON.parse(body));
        },
      ),
    );
  });

  it('is taken by receivers that know the old key and by those that know the new one', () => {
    const old = secretOf(randomBytes(24));
    const headers = signatureHeaders([key, signingKey(old, 'OLD')], message);
    for (const known of [secret, old])
      assert.deepEqual(new Webhook(known).verify(message.body, headers), { a: 1 });
    assert.throws(() => new Webhook(secretOf(randomBytes(32))).verify(message.body, headers));
  });

  it('is refused where its text, its name or its time is another', () => {
    const headers = signatureHeaders([key], message);
    const webhook = new Webhook(secret);
    assert.throws(() => webhook.verify('{"a":2}', headers));
    assert.throws(() => webhook.verify(message.body, { ...headers, 'webhook-id': 'msg_2' }));
    const later = String(Number(headers['webhook-timestamp']) + 1);
    assert.throws(() => webhook.verify(message.body, { ...headers, 'webhook-timestamp': later }));
  });

  it('needs a key that cannot be guessed, and never tells what it was given in its place', () => {
    for (const bad of [
      '',
      'whsec_',
      'hunter2hunter2hunter2hunter2hunter2',
      secretOf(randomBytes(23)),
      secretOf(randomBytes(65)),
    ]) {
      assert.throws(
        () => signingKey(bad, 'TICKETS_SECRET'),
        (error: Error) =>
          error.message.includes('TICKETS_SECRET') && (bad.length < 8 || !error.message.includes(bad)),
      );
    }
  });
});
