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
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { userOf } from '../sandbox/token-user.ts';
import { type ConfigurationServer, serveConfiguration } from './configuration-server.ts';
import { endPrograms, oam, WHO_AM_I } from './oam-process.ts';

describe('oam, in a workspace that wants a sign-in of its own', function () {
  this.timeout(60_000);
  afterEach(endPrograms);

  let idp: RunningIdentityProvider;
  let databricks: RunningSandboxDatabricks;
  let plane: ConfigurationServer;
  let env: Record<string, string>;
  let audience = OAM_AUDIENCE;

  before(async () => {
    idp = await startIdentityProvider({ devicePollSeconds: 0.05 });
    // A company without a federation policy: the audience of its ID tokens is none that Databricks accepts.
    databricks = await startSandboxDatabricks({
      identityProvider: { issuer: idp.issuer, audience: 'nobody' },
      people: Object.values(PEOPLE),
    });
    const { prod, dev } = databricks.workspaces;
    plane = await serveConfiguration(() => ({
      identity: {
        ...{ issuer: idp.issuer, clientId: EDITOR_CLIENT_ID, audience },
        ...{ scopes: [...EDITOR_SCOPES], databricksAttribute: 'externalId' },
      },
      workspaces: [
        { name: prod.name, host: prod.host, tokenSource: 'databricks-sign-in' },
        { name: dev.name, host: dev.host },
      ],
    }));
    env = { OAM_URL: plane.url, OAM_TRUSTED_WORKSPACE_HOSTS: `${prod.host},${dev.host}` };
  });

  after(async () => {
    plane.close();
    await databricks.close();
    await idp.close();
  });

  const whoAmI = ['--', process.execPath, '--input-type=module', '-e', WHO_AM_I];
  const exec = ['exec', '--no-keychain', '--workspace'];

  it('prints the page, and runs the program as whoever signed in there', async () => {
    const run = await oam([...exec, 'ml-prod', ...whoAmI], { env, person: PEOPLE.ana });
    assert.equal(run.code, 7, run.stderr);
    assert.deepEqual(JSON.parse(run.stdout), { me: PEOPLE.ana.userName, env: ['DATABRICKS_AUTH_TYPE'] });
    assert.match(run.stderr, /ssh -L 80\d\d:localhost:80\d\d/);
    assert.doesNotMatch(run.stderr, /eyJ|doau/);
  });

  it('shows a token of that sign-in', async () => {
    const run = await oam(['token', '--no-keychain', '--workspace', 'ml-prod'], { env, person: PEOPLE.omar });
    assert.equal(run.code, 0, run.stderr);
    const token = run.stdout.trimEnd();
    assert.equal(await userOf(databricks.workspaces.prod.host, token), PEOPLE.omar.userName);
  });

  it('starts nothing where somebody else signs in at Databricks', async () => {
    const run = await oam([...exec, 'ml-prod', ...whoAmI], {
      ...{ env, person: PEOPLE.ana, atDatabricks: PEOPLE.omar },
    });
    assert.deepEqual([run.code, run.stdout], [1, '']);
    assert.match(run.stderr, /Somebody else signed in to Databricks than is signed in here/);
  });

  it('opens no page of a host that the person does not trust', async () => {
    const run = await oam([...exec, 'ml-prod', ...whoAmI], {
      env: { OAM_URL: env['OAM_URL'] ?? '' },
      person: PEOPLE.ana,
    });
    assert.deepEqual([run.code, run.stdout], [1, '']);
    assert.match(run.stderr, /not a Databricks host that you trust/);
    assert.doesNotMatch(run.stderr, /sign in to Databricks, open/);
  });

  it('signs nobody in where one token would open both doors', async () => {
    audience = EDITOR_CLIENT_ID;
    try {
      const run = await oam([...exec, 'ml-prod', ...whoAmI], { env, person: PEOPLE.ana });
      assert.deepEqual([run.code, run.stdout], [1, '']);
      assert.match(run.stderr, /must give OAM and Databricks tokens with different audiences/);
      assert.doesNotMatch(run.stderr, /confirm the code/);
    } finally {
      audience = OAM_AUDIENCE;
    }
  });

  it('exchanges ID tokens in the others, where Databricks says what is missing', async () => {
    const run = await oam([...exec, 'ml-dev', ...whoAmI], { env, person: PEOPLE.ana });
    assert.deepEqual([run.code, run.stdout], [1, '']);
    assert.match(run.stderr, /ask an account admin to check the federation policy/);
  });

  it('ends silently on Ctrl-C while it waits for the browser', async () => {
    let killed = false;
    const run = await oam([...exec, 'ml-prod', ...whoAmI], {
      env,
      person: PEOPLE.ana,
      atDatabricks: { userName: 'nobody@example.com', password: 'wrong' },
      onStderr(text, kill) {
        if (killed || !text.includes('sign in to Databricks')) return;
        killed = true;
        kill('SIGINT');
      },
    });
    assert.equal(run.code, 130);
    assert.ok(!run.stderr.includes('oam:'), run.stderr);
  });
});
