import assert from 'node:assert/strict';

import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  PEOPLE,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import {
  type RunningSandboxDatabricks,
  startSandboxDatabricks,
} from '../../../src/sandbox/databricks/index.ts';
import { userOf } from '../sandbox/token-user.ts';
import { type ConfigurationServer, serveConfiguration } from './configuration-server.ts';
import { endPrograms, oam, WHO_AM_I } from './oam-process.ts';

describe('oam, with a real identity provider and the stand-in Databricks', function () {
  this.timeout(60_000);
  afterEach(endPrograms);

  let idp: RunningIdentityProvider;
  let databricks: RunningSandboxDatabricks;
  let plane: ConfigurationServer;
  let url: string;
  let env: Record<string, string>;

  before(async () => {
    idp = await startIdentityProvider({ devicePollSeconds: 0.05 });
    databricks = await startSandboxDatabricks({
      identityProvider: { issuer: idp.issuer, audience: EDITOR_CLIENT_ID },
      people: Object.values(PEOPLE),
    });
    const { prod, dev } = databricks.workspaces;
    plane = await serveConfiguration(() => ({
      identity: {
        ...{ issuer: idp.issuer, clientId: EDITOR_CLIENT_ID, audience: OAM_AUDIENCE },
        scopes: [...EDITOR_SCOPES],
      },
      workspaces: [prod, dev].map(({ name, host }) => ({ name, host })),
    }));
    ({ url } = plane);
    env = { OAM_URL: url, OAM_TRUSTED_WORKSPACE_HOSTS: `${prod.host},${dev.host}` };
  });

  after(async () => {
    plane.close();
    await databricks.close();
    await idp.close();
  });

  const whoAmI = [process.execPath, '--input-type=module', '-e', WHO_AM_I];

  it('runs a program as the person, without a token in its environment, and gives its exit code', async () => {
    const run = await oam(['exec', '--no-keychain', '--workspace', 'ml-dev', '--', ...whoAmI], {
      env: { ...env, DATABRICKS_TOKEN: 'dapi-inherited-secret', DATABRICKS_CONFIG_PROFILE: 'mine' },
      person: PEOPLE.ana,
    });
    assert.equal(run.code, 7, run.stderr);
    assert.deepEqual(JSON.parse(run.stdout), { me: PEOPLE.ana.userName, env: ['DATABRICKS_AUTH_TYPE'] });
    assert.match(
      run.stderr,
      /Left out of the program's environment: DATABRICKS_CONFIG_PROFILE, DATABRICKS_TOKEN\n/,
    );
    assert.ok(!run.stderr.includes('dapi-inherited-secret'));
    assert.ok(!run.stderr.includes('eyJ'));
  });

  it('shows a token, and only that on standard output, when a token is asked for', async () => {
    const run = await oam(['token', '--no-keychain', '--workspace', 'ml-prod'], { env, person: PEOPLE.omar });
    assert.equal(run.code, 0, run.stderr);
    const token = run.stdout.trimEnd();
    assert.equal(await userOf(databricks.workspaces.prod.host, token), PEOPLE.omar.userName);
    assert.ok(!run.stderr.includes(token));
  });

  it('starts nothing for a workspace host that the person does not trust', async () => {
    const run = await oam(['exec', '--no-keychain', '--workspace', 'ml-dev', '--', ...whoAmI], {
      env: { OAM_URL: url },
      person: PEOPLE.ana,
    });
    assert.deepEqual([run.code, run.stdout], [1, '']);
    assert.match(run.stderr, /not a Databricks host that you trust/);
    assert.match(run.stderr, /OAM_TRUSTED_WORKSPACE_HOSTS/);
  });

  it('says which workspaces there are, and that a program is not there', async () => {
    const [ambiguous, missing] = await Promise.all([
      oam(['exec', '--no-keychain', '--', 'true'], { env, person: PEOPLE.ana }),
      oam(['exec', '--no-keychain', '--workspace', 'ml-dev', '--', 'no-such-program'], {
        env,
        person: PEOPLE.omar,
      }),
    ]);
    assert.equal(ambiguous.code, 1);
    assert.match(ambiguous.stderr, /--workspace[^]*ml-prod, ml-dev/);
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /no such program/);
  });

  it('ends silently on Ctrl-C while it waits for the sign-in', async () => {
    let killed = false;
    const run = await oam(['roles', '--no-keychain'], {
      env,
      onStderr(text, kill) {
        if (killed || !text.includes('confirm the code')) return;
        killed = true;
        kill('SIGINT');
      },
    });
    assert.equal(run.code, 130);
    assert.ok(!run.stderr.includes('oam:'), run.stderr);
  });

  it('says that the identity provider is down', async () => {
    idp.pause();
    try {
      const run = await oam(['roles', '--no-keychain'], { env });
      assert.equal(run.code, 1);
      assert.match(run.stderr, /^oam: The identity provider cannot be reached/);
      assert.ok(!/\n\s+at /.test(run.stderr));
    } finally {
      idp.resume();
    }
  });

  it('says that the control plane is down, or that this is none', async () => {
    const [down, stranger] = await Promise.all([
      oam(['status', '--no-keychain', '--url', 'http://127.0.0.1:1'], {}),
      oam(['status', '--no-keychain', '--url', databricks.workspaces.prod.host], {}),
    ]);
    assert.deepEqual([down.code, stranger.code], [1, 1]);
    assert.match(down.stderr, /could not be reached[^]*Is the control plane running/);
    assert.match(stranger.stderr, /not as a control plane/);
  });

  for (const args of [
    ['nosuch'],
    ['exec', '--no-keychain'],
    ['request', 'x'],
    ['deny', 'x'],
    ['request', 'x', '--purpose', 'p', '--for', 'soon'],
    ['exec', '--no-keychain', '--purpose', 'p', '--', 'true'],
    ['serve'],
  ]) {
    it(`ends with 2 for: oam ${args.join(' ')}`, async () => {
      const run = await oam(args, { env, person: PEOPLE.ana });
      assert.equal(run.code, 2, run.stderr);
      assert.match(run.stderr, /^oam: /m);
      assert.ok(!/\n\s+at /.test(run.stderr));
    });
  }
});
