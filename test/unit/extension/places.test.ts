import assert from 'node:assert/strict';

import { pointDebugSession } from '../../../src/extension/debugging/debug-environment.ts';
import { placeLines, type Places } from '../../../src/extension/places/place-lines.ts';
import { english } from './localise.ts';
import { aGrant, DEV, PROD } from './views.ts';

const POINTER = {
  DATABRICKS_HOST: PROD.host,
  DATABRICKS_AUTH_TYPE: 'metadata-service',
  DATABRICKS_METADATA_SERVICE_URL: 'http://127.0.0.1:4000/abc',
} as const;

describe('a debug session', () => {
  it("has its folder's pointer besides its own variables", () => {
    assert.deepEqual(pointDebugSession({ env: { EPOCHS: '3' }, envFile: 'MLFLOW_X=1\n' }, POINTER), {
      kind: 'pointed',
      env: { EPOCHS: '3', ...POINTER },
    });
    // Null takes a variable away: that is no sign-in of the person's own.
    const cleared = pointDebugSession({ env: { DATABRICKS_TOKEN: null }, envFile: undefined }, POINTER);
    assert.deepEqual(cleared.kind === 'pointed' && cleared.env, { DATABRICKS_TOKEN: null, ...POINTER });
  });

  it('has MLflow where its configuration or its file says, and where OAM says otherwise', () => {
    const ours = { ...POINTER, MLFLOW_TRACKING_URI: 'databricks' };
    const mlflow = (env: Record<string, unknown>, envFile?: string): unknown => {
      const pointed = pointDebugSession({ env, envFile }, ours);
      return pointed.kind === 'pointed' && pointed.env['MLFLOW_TRACKING_URI'];
    };
    assert.equal(mlflow({}), 'databricks');
    assert.equal(mlflow({ MLFLOW_TRACKING_URI: 'http://mine' }), 'http://mine');
    assert.equal(mlflow({ MLFLOW_TRACKING_URI: null }), null);
    // The debugger reads the file by itself, and what is in `env` would win over it.
    assert.equal(mlflow({}, 'MLFLOW_TRACKING_URI=http://mine\n'), undefined);
  });

  it('is left alone where its configuration or its file says who signs in', () => {
    assert.deepEqual(
      pointDebugSession(
        { env: { DATABRICKS_CONFIG_PROFILE: 'dev' }, envFile: 'export DATABRICKS_TOKEN=dapi1\n' },
        POINTER,
      ),
      {
        kind: 'alreadySet',
        found: [
          { name: 'DATABRICKS_CONFIG_PROFILE', where: 'debugConfiguration' },
          { name: 'DATABRICKS_TOKEN', where: 'debugEnvFile' },
        ],
      },
    );
  });
});

describe('whom each place of a window answers as', () => {
  const folder = { uri: 'file:///one', name: 'one' };
  const active = { kind: 'active', workspace: PROD } as const;
  const federated = { ...aGrant().role, id: 'deploy', title: 'Deploy', credential: 'federated' } as const;
  const window = (change: Partial<Places>): Places => ({
    userName: 'ana@example.com',
    folders: [{ folder, state: active, atKernelStart: true, hasRival: false }],
    terminals: [],
    grants: [],
    nowMs: Date.parse('2026-11-23T10:30:05.000Z'),
    ...change,
  });

  it('names the person, the workspace, and the roles that work there', () => {
    const elsewhere = { ...aGrant().role, title: 'Elsewhere', workspace: DEV };
    const [line] = placeLines(
      english,
      window({ grants: [aGrant(), aGrant({ role: elsewhere }), aGrant({ role: federated })] }),
    );
    assert.deepEqual(line, {
      label: '$(folder) one',
      description: 'ana@example.com in ml-prod',
      detail:
        'Terminals, tasks, debug sessions and tests answer as you, with Query the recsys ranker (30 min left). Notebook kernels too.',
      act: undefined,
    });
  });

  it('says where kernels differ from terminals', () => {
    const detail = (change: Partial<Places['folders'][number]>): string | undefined =>
      placeLines(
        english,
        window({ folders: [{ folder, state: active, atKernelStart: true, hasRival: false, ...change }] }),
      )[0]?.detail;
    assert.match(detail({ atKernelStart: false }) ?? '', /set up after their first cell/);
    assert.match(detail({ hasRival: true }) ?? '', /Databricks' own extension/);
  });

  it('names a terminal that is the role and not the person, also after its end', () => {
    const shown: string[] = [];
    const terminals = [{ grant: { chainId: 'g9', role: federated }, show: () => void shown.push('shown') }];
    const live = aGrant({ id: 'g10', chainId: 'g9', role: federated });
    const [, during] = placeLines(english, window({ terminals, grants: [live] }));
    assert.equal(during?.label, '$(terminal) as Deploy');
    assert.equal(during.description, "the role's service principal in ml-prod");
    assert.match(during.detail, /nothing of yours: Deploy \(30 min left\)/);
    if (typeof during.act === 'function') during.act();
    assert.deepEqual(shown, ['shown']);
    assert.match(placeLines(english, window({ terminals }))[1]?.detail ?? '', /has ended/);
  });

  it('leads from where nothing answers to what mends it', () => {
    const act = (state: Places['folders'][number]['state']): unknown =>
      placeLines(english, window({ folders: [{ folder, state, atKernelStart: false, hasRival: false }] }))[0]
        ?.act;
    assert.equal(act({ kind: 'unasked' }), 'useInFolder');
    assert.equal(act({ kind: 'waiting', workspace: PROD, for: 'signIn' }), 'signIn');
    assert.equal(act({ kind: 'alreadySet', found: [] }), 'diagnose');
  });
});
