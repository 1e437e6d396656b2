import assert from 'node:assert/strict';

import fc from 'fast-check';

import { hostTrust } from '../../../src/databricks/index.ts';

describe('trust in hosts', () => {
  for (const host of [
    'https://dbc-a1b2c3d4-e5f6.cloud.databricks.com',
    'https://adb-123.4.azuredatabricks.net',
    'https://123.4.gcp.databricks.com',
    'https://accounts.cloud.databricks.com',
    'https://DBC-X.cloud.databricks.com',
  ]) {
    it(`is given to Databricks' own: ${host}`, () => {
      assert.ok(hostTrust([]).isTrusted(host));
    });
  }

  for (const host of [
    'http://dbc-a1b2.cloud.databricks.com',
    'https://cloud.databricks.com.evil.example',
    'https://evilcloud.databricks.com.',
    'https://evil-azuredatabricks.net',
    'https://dbc.cloud.databricks.com@evil.example',
    'https://dbc.cloud.databricks.com:8443',
    'https://dbc.cloud.databricks.com/path',
    'https://dbc.cloud.databricks.com/?x',
    'https://user:pass@dbc.cloud.databricks.com',
    'dbc.cloud.databricks.com',
    'https://someapp.databricksapps.com',
    '',
  ]) {
    it(`is not given to: ${host === '' ? '(nothing)' : host}`, () => {
      assert.ok(!hostTrust([]).isTrusted(host));
    });
  }

  it('is given to an exact origin that the person named, and to no other port of it', () => {
    const trust = hostTrust(['http://127.0.0.1:4711', 'https://db.corp.example/']);
    assert.ok(trust.isTrusted('http://127.0.0.1:4711'));
    assert.ok(trust.isTrusted('https://db.corp.example'));
    assert.ok(!trust.isTrusted('http://127.0.0.1:4712'));
    assert.ok(!trust.isTrusted('http://localhost:4711'));
    assert.ok(!trust.isTrusted('https://sub.db.corp.example'));
  });

  it('is not given to plain http elsewhere, even when named', () => {
    assert.ok(!hostTrust(['http://db.corp.example']).isTrusted('http://db.corp.example'));
  });

  it('never leads outside the named and the known', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), (url) => {
        assert.equal(hostTrust([]).isTrusted(url), false);
      }),
    );
  });
});
