import assert from 'node:assert/strict';

import fc from 'fast-check';

import { createRedactor } from '../../../src/domain/redaction.ts';

const secrets = fc.stringMatching(/^[A-Za-z0-9._~+/=-]{8,80}$/);
const prose = fc.string({ maxLength: 60 });

describe('redaction', () => {
  it('lets no registered secret through, whatever stands around it', () => {
    fc.assert(
      fc.property(fc.array(secrets, { minLength: 1, maxLength: 5 }), fc.array(prose), (values, words) => {
        const redactor = createRedactor();
        values.forEach((value) => redactor.register(value));
        const text = values.map((value, i) => `${words[i] ?? ''}${value}${words[i + 1] ?? ''}`).join('|');
        const clean = redactor.redact(text);
        for (const value of values) assert.ok(!clean.includes(value), `${value} survived in ${clean}`);
      }),
    );
  });

  it('masks the URL-encoded form of a registered secret too', () => {
    const redactor = createRedactor();
    redactor.register('abc+/def==');
    assert.ok(!redactor.redact('https://x/?v=abc%2B%2Fdef%3D%3D').includes('abc%2B'));
  });

  it('masks the shapes of secrets that nobody registered', () => {
    const redactor = createRedactor();
    const samples = {
      'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln': 'token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln refused',
      dapi0123456789abcdef: 'using dapi0123456789abcdef now',
      s3cr3tvalue: 'Authorization: Basic s3cr3tvalue',
      hunter22: '{"client_secret":"hunter22"}',
      rt_12345: 'refresh_token=rt_12345&scope=all',
      ac_98765: 'http://127.0.0.1/cb?code=ac_98765&state=st_1',
    };
    for (const [secret, text] of Object.entries(samples)) {
      assert.ok(!redactor.redact(text).includes(secret), redactor.redact(text));
    }
  });

  it('keeps ordinary sentences as they are', () => {
    const redactor = createRedactor();
    const sentence =
      'The state of request 17 is pending; ask a lead of ml-recsys. Error code: window_too_long';
    assert.equal(redactor.redact(sentence), sentence);
  });

  it('forgets a secret when its last holder lets go', () => {
    const redactor = createRedactor();
    const first = redactor.register('long-enough-secret');
    const second = redactor.register('long-enough-secret');
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    assert.ok(!redactor.redact('long-enough-secret').includes('long'));
    second[Symbol.dispose]();
    assert.equal(redactor.redact('long-enough-secret'), 'long-enough-secret');
  });

  it('does not mask values so short that they would eat ordinary words', () => {
    const redactor = createRedactor();
    redactor.register('role');
    assert.equal(redactor.redact('a role'), 'a role');
  });
});
