import assert from 'node:assert/strict';

import fc from 'fast-check';

import { hostTrust, requireTrusted, trustAmong } from '../../../src/databricks/index.ts';
import { hasCode } from '../../../src/domain/errors.ts';

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

  it('is given to workspaces that the person agreed to, and to no other one of Databricks', () => {
    const [prod, foreign] = ['https://prod.cloud.databricks.com', 'https://other.cloud.databricks.com'];
    let agreed = [`${prod}/`, 'http://db.corp.example'];
    const trust = trustAmong(hostTrust([]), () => agreed);
    assert.equal(requireTrusted(trust, prod), prod);
    assert.throws(
      () => requireTrusted(trust, foreign),
      (error) => hasCode(error, 'workspace_not_agreed') && error.detail === foreign,
    );
    // Agreed to is not trusted yet.
    assert.throws(
      () => requireTrusted(trust, 'http://db.corp.example'),
      (error) => hasCode(error, 'workspace_not_agreed') || hasCode(error, 'untrusted_host'),
    );
    agreed = [foreign, 'https://db.corp.example'];
    assert.deepEqual(
      [prod, foreign, 'https://db.corp.example'].map((host) => trust.isTrusted(host)),
      [false, true, false],
    );
    assert.throws(
      () => requireTrusted(trust, 'https://db.corp.example'),
      (error) => hasCode(error, 'untrusted_host'),
    );
  });
});
