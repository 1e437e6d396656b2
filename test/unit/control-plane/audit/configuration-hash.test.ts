import assert from 'node:assert/strict';

import { configurationHash } from '../../../../src/control-plane/audit/configuration-changes.ts';
import { parseServerConfiguration } from '../../../../src/control-plane/configuration/configuration.ts';

const TEXT = `
listen: { port: 0 }
dataFolder: ./data
policyFolder: policy
identity: { issuer: 'https://login.example.com', clientId: oam-editor, audience: 'urn:oam' }
databricks: { accountId: account, clientId: core, clientSecretEnv: SECRET }
databaseUrl: env:DATABASE_URL
`;

const hashWith = (address: string): string =>
  configurationHash(parseServerConfiguration('/etc/oam/oam.yaml', TEXT, { DATABASE_URL: address }));

describe('the hash of the configuration', () => {
  for (const where of ['db.example.com:5432/oam', '/oam?host=%2Frun%2Fpostgresql']) {
    it(`says nothing of the password of a database at ${where}, and tells its account`, () => {
      const hash = hashWith(`postgres://oam:one@${where}`);
      assert.equal(hashWith(`postgres://oam:two@${where}`), hash);
      assert.notEqual(hashWith(`postgres://other:one@${where}`), hash);
    });
  }

  it('tells one place from another', () => {
    assert.notEqual(hashWith('postgres://oam@one/oam'), hashWith('postgres://oam@two/oam'));
    assert.notEqual(hashWith('postgres://oam@/oam?host=%2Fa'), hashWith('postgres://oam@/oam?host=%2Fb'));
  });
});
