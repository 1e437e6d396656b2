import assert from 'node:assert/strict';

import {
  type RunningSandboxDatabricks,
  startSandboxDatabricks,
} from '../../../src/sandbox/databricks/index.ts';
import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  PEOPLE,
  type Person,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { type Keyring, noKeyring, startKeyring } from '../identity/keyring.ts';
import { type ConfigurationServer, serveConfiguration } from './configuration-server.ts';
import { ASKING, endPrograms, oam, type Run } from './oam-process.ts';

/** Ends once the file with the sign-in is gone. */
const LOOKING = `
  const { existsSync } = await import('node:fs');
  const file = process.env.DATABRICKS_OIDC_TOKEN_FILEPATH;
  if (existsSync(file)) console.log('the file is there');
  while (existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 100));
  console.log('the file is gone');
`;

describe('a program that works by the session that oam and its commands share', function () {
  this.timeout(60_000);
  afterEach(endPrograms);
  let idp: RunningIdentityProvider;
  let databricks: RunningSandboxDatabricks;
  let plane: ConfigurationServer;
  let keyring: Keyring;
  let host: string;

  before(async function () {
    const reason = noKeyring();
    if (reason !== undefined) {
      console.log(`    skipped: ${reason}`);
      this.skip();
    }
    idp = await startIdentityProvider({ devicePollSeconds: 0.05 });
    // Its tokens are good for an hour: what is in hand is not replaced while a test runs.
    databricks = await startSandboxDatabricks({
      identityProvider: { issuer: idp.issuer, audience: EDITOR_CLIENT_ID },
      people: Object.values(PEOPLE),
    });
    ({ host } = databricks.workspaces.dev);
    plane = await serveConfiguration(() => ({
      identity: {
        ...{ issuer: idp.issuer, clientId: EDITOR_CLIENT_ID, audience: OAM_AUDIENCE },
        scopes: [...EDITOR_SCOPES],
      },
      workspaces: [{ name: 'ml-dev', host }],
    }));
  });
  after(async () => {
    plane?.close();
    await databricks?.close();
    await idp?.close();
  });
  beforeEach(async () => {
    keyring = await startKeyring();
  });
  afterEach(() => keyring.close());

  const environment = (): Record<string, string> => ({
    ...keyring.env,
    OAM_URL: plane.url,
    OAM_TRUSTED_WORKSPACE_HOSTS: host,
  });
  const command = async (words: readonly string[], person?: Person): Promise<void> => {
    const run = await oam(words, { env: environment(), ...(person && { person }) });
    assert.equal(run.code, 0, run.stderr);
  };
  /** What a program came to that had access when `then` was done. */
  const during = async (
    words: readonly string[],
    script: string,
    then: () => Promise<void>,
  ): Promise<Run> => {
    const begun = Promise.withResolvers<void>();
    const program = oam([...words, '--', process.execPath, '--input-type=module', '-e', script], {
      env: environment(),
      onStdout: () => {
        begun.resolve();
      },
    });
    await Promise.race([begun.promise, program]);
    await then();
    return program;
  };

  const ways = [
    { name: 'oam exec', words: () => ['exec'] },
    { name: 'oam kernel run', words: () => ['kernel', 'run', '--host', host] },
  ];
  for (const { name, words } of ways) {
    it(`gets nothing more from ${name} once the person has signed out, though a token is in hand`, async () => {
      await command(['login'], PEOPLE.ana);
      const run = await during(words(), ASKING, () => command(['logout']));
      assert.equal(run.stdout, 'got a token\nrefused signed_out\n', run.stderr);
    });
  }

  it('gets nothing more once somebody else has taken the place of the person', async () => {
    await command(['login'], PEOPLE.ana);
    const run = await during(['exec'], ASKING, () => command(['login'], PEOPLE.lena));
    assert.equal(run.stdout, 'got a token\nrefused principal_changed\n', run.stderr);
  });

  it('loses the file with the sign-in at once when the person signs out', async () => {
    await command(['login'], PEOPLE.ana);
    const run = await during(['exec', '--file-oidc'], LOOKING, () => command(['logout']));
    assert.equal(run.stdout, 'the file is there\nthe file is gone\n', run.stderr);
    assert.match(run.stderr, /You have signed out while the program runs/);
  });
});
