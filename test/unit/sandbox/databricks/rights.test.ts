import assert from 'node:assert/strict';

import { DatabricksError, type WorkspaceClient } from '../../../../src/databricks/index.ts';
import { type RunningSandboxDatabricks, SEED } from '../../../../src/sandbox/databricks/index.ts';
import type { FakeClock } from './stand-in.ts';
import { ANA, call, clientOf, OMAR, serviceClientOf, startStandIn, tokenOf } from './stand-in.ts';

const { jitGroups, users, assets, servicePrincipals } = SEED;
const MODEL = assets.model.fullName;

describe('stand-in: rights', () => {
  let standIn: RunningSandboxDatabricks;
  let clock: FakeClock;
  let ana: WorkspaceClient;
  let omar: WorkspaceClient;
  let core: WorkspaceClient;
  let anaToken: string;
  let admin: string;
  let prod: string;

  beforeEach(async () => {
    ({ standIn, clock } = await startStandIn());
    prod = standIn.workspaces.prod.host;
    ana = clientOf(standIn, ANA.userName);
    omar = clientOf(standIn, OMAR.userName);
    core = await serviceClientOf(standIn, clock, standIn.coreCredentials);
    anaToken = standIn.personalAccessToken('prod', ANA.userName);
    admin = await tokenOf(standIn, clock, standIn.adminCredentials);
  });

  afterEach(() => standIn.close());

  const grant = async (group: { readonly id: string }, principalId: string): Promise<void> => {
    clock.advance(1_000);
    await core.addGroupMembers(group.id, [principalId]);
  };

  const endpointId = async (name: string): Promise<string> => {
    const found = (await ana.servingEndpoints()).find((endpoint) => endpoint.name === name);
    assert.ok(found?.id);
    return found.id;
  };

  it("lists only what somebody may see: their team's endpoints, jobs, experiments and clusters", async () => {
    const names = (await ana.servingEndpoints()).map((endpoint) => endpoint.name);
    assert.ok(names.includes(assets.endpoint.name));
    assert.ok(!names.some((name) => name.startsWith('fraud-')));
    assert.ok((await ana.jobs()).every((job) => job.name.startsWith('recsys-')));
    assert.ok((await ana.experiments()).every((experiment) => experiment.name.startsWith('/Shared/recsys/')));
    assert.deepEqual((await ana.clusters()).map((cluster) => cluster.name).sort(), [
      'ml-gpu-shared',
      'recsys-cpu',
      'recsys-gpu',
    ]);
    assert.equal((await omar.experiments()).length, 0);
  });

  it('is as large as a real team: dozens of models, endpoints, jobs and experiments', async () => {
    const all = await serviceClientOf(standIn, clock, standIn.adminCredentials);
    assert.ok((await all.models()).length > 90);
    assert.ok((await all.servingEndpoints()).length > 20);
    assert.ok((await all.jobs()).length > 20);
    assert.ok((await all.experiments()).length > 24);
    assert.ok((await all.clusters()).length >= 9);
  });

  it('gives the deployer the endpoints of its team while it is in its group', async () => {
    const deployer = await call('POST', `${prod}/api/2.0/token-management/on-behalf-of/tokens`, admin, {
      application_id: servicePrincipals.recsysDeployer.applicationId,
      lifetime_seconds: 600,
    });
    const token = String(deployer.json['token_value']);
    const deploy = () =>
      call('PUT', `${prod}/api/2.0/serving-endpoints/${assets.endpoint.name}/config`, token, {
        served_entities: [{ entity_name: MODEL, entity_version: '1' }],
      });
    assert.equal((await deploy()).status, 403);
    await grant(jitGroups.deployer, servicePrincipals.recsysDeployer.id);
    assert.equal((await deploy()).status, 200);
    clock.advance(1_000);
    await core.removeGroupMembers(jitGroups.deployer.id, [servicePrincipals.recsysDeployer.id]);
    assert.equal((await deploy()).status, 403);
  });

  it('lets somebody promote a model with the role only', async () => {
    const promote = () =>
      call('PUT', `${prod}/api/2.1/unity-catalog/models/${MODEL}/aliases/champion`, anaToken, {
        version_num: 1,
      });
    assert.equal((await promote()).status, 403);
    assert.deepEqual(await ana.effectivePermissions('function', MODEL), []);
    await grant(jitGroups.modelPromote, users.ana.id);
    assert.equal((await promote()).status, 200);
    const privileges = await ana.effectivePermissions('function', MODEL, jitGroups.modelPromote.name);
    assert.deepEqual(privileges.map((held) => held.privilege).sort(), ['APPLY_TAG', 'EXECUTE', 'MANAGE']);
  });

  it('says what is inherited, and from where', async () => {
    const held = await ana.effectivePermissions('schema', 'dev.recsys');
    assert.ok(held.some((each) => each.privilege === 'EXECUTE' && each.inheritedFrom === undefined));
    const below = await ana.effectivePermissions('function', 'dev.recsys.ranker');
    assert.deepEqual(below, [
      {
        principal: 'ml-recsys',
        privilege: 'EXECUTE',
        inheritedFrom: { type: 'SCHEMA', name: 'dev.recsys' },
      },
    ]);
  });

  it("does not know a securable of type 'model', nor small pages of privileges", async () => {
    const effective = `${prod}/api/2.1/unity-catalog/effective-permissions`;
    assert.equal((await call('GET', `${effective}/model/${MODEL}`, anaToken)).status, 404);
    const small = await call('GET', `${effective}/function/${MODEL}?max_results=10`, anaToken);
    assert.equal(small.json['error_code'], 'INVALID_PARAMETER_VALUE');
  });

  it('lets an operator restart a cluster with the role only', async () => {
    const token = standIn.personalAccessToken('prod', OMAR.userName);
    const restart = () =>
      call('POST', `${prod}/api/2.1/clusters/restart`, token, { cluster_id: assets.cluster.id });
    assert.equal((await restart()).status, 403);
    await grant(jitGroups.clusterOperator, users.omar.id);
    assert.equal((await restart()).status, 200);
  });

  it('answers "does not exist" as Databricks does: 400 for clusters and jobs, and the client reads it so', async () => {
    const cluster = await call('GET', `${prod}/api/2.1/clusters/get?cluster_id=none`, anaToken);
    assert.equal(cluster.status, 400);
    assert.equal(cluster.json['error_code'], 'INVALID_PARAMETER_VALUE');
    await assert.rejects(ana.objectPermissions('clusters', 'none'), (error) => {
      assert.ok(error instanceof DatabricksError);
      assert.equal(error.errorCode, 'INVALID_STATE');
      assert.equal(error.code, 'databricks_not_found');
      return true;
    });
  });

  it('wants the id of an endpoint for its permissions, not its name', async () => {
    const byName = await call(
      'GET',
      `${prod}/api/2.0/permissions/serving-endpoints/${assets.endpoint.name}`,
      anaToken,
    );
    assert.equal(byName.status, 400);
    const listed = await ana.objectPermissions('serving-endpoints', await endpointId(assets.endpoint.name));
    assert.ok(
      listed.some(
        ({ principal, level }) =>
          principal.kind === 'group' &&
          principal.name === jitGroups.endpointQuery.name &&
          level === 'CAN_QUERY',
      ),
    );
    assert.ok(listed.some(({ inherited }) => inherited));
  });

  it('keeps one direct level a principal: a weaker one written later takes its place', async () => {
    const url = `${prod}/api/2.0/permissions/serving-endpoints/${await endpointId(assets.endpoint.name)}`;
    const write = (level: string, token: string) =>
      call('PATCH', url, token, {
        access_control_list: [{ user_name: ANA.userName, permission_level: level }],
      });
    assert.equal((await write('CAN_MANAGE', anaToken)).status, 403);
    await write('CAN_MANAGE', admin);
    assert.equal(await ana.servingEndpointLevel(assets.endpoint.name), 'CAN_MANAGE');
    await write('CAN_VIEW', admin);
    assert.equal(await ana.servingEndpointLevel(assets.endpoint.name), 'CAN_VIEW');
    assert.equal((await write('CAN_FLY', admin)).json['error_code'], 'INVALID_PARAMETER_VALUE');
  });

  it('deletes the tokens of those who lose the right to tokens', async () => {
    const made = await call('POST', `${prod}/api/2.0/token/create`, anaToken, { lifetime_seconds: 600 });
    const token = String(made.json['token_value']);
    const me = `${prod}/api/2.0/preview/scim/v2/Me`;
    assert.equal((await call('GET', me, token)).status, 200);
    await call('PUT', `${prod}/api/2.0/permissions/authorization/tokens`, admin, {
      access_control_list: [{ group_name: 'ml-platform', permission_level: 'CAN_USE' }],
    });
    assert.equal((await call('GET', me, token)).status, 403);
    assert.equal((await call('GET', me, standIn.personalAccessToken('prod', OMAR.userName))).status, 200);
  });

  it('ends a personal access token when it says, or when it is deleted', async () => {
    const me = `${prod}/api/2.0/preview/scim/v2/Me`;
    const create = async () => {
      const { json } = await call('POST', `${prod}/api/2.0/token/create`, anaToken, { lifetime_seconds: 60 });
      return json;
    };
    const short = String((await create())['token_value']);
    clock.advance(60_000);
    assert.equal((await call('GET', me, short)).status, 403);
    const { token_value: value, token_info: info } = await create();
    assert.ok(typeof info === 'object' && info !== null && 'token_id' in info);
    await call('POST', `${prod}/api/2.0/token/delete`, anaToken, { token_id: info.token_id });
    assert.equal((await call('GET', me, String(value))).status, 403);
  });

  it('gives everybody Databricks’ own endpoints, which have no id', async () => {
    const own = (await omar.servingEndpoints()).find(({ name }) => name === 'databricks-gpt-oss-120b');
    assert.equal(own?.id, undefined);
    const chat = await call(
      'POST',
      `${prod}/serving-endpoints/databricks-gpt-oss-120b/invocations`,
      anaToken,
      {
        messages: [{ role: 'user', content: 'hello' }],
      },
    );
    assert.equal(chat.status, 200);
  });

  it('lets a run be started in development, and not in production', async () => {
    const run = async (workspace: 'prod' | 'dev') => {
      const [job] = await clientOf(standIn, ANA.userName, workspace).jobs();
      const token = standIn.personalAccessToken(workspace, ANA.userName);
      return call('POST', `${standIn.workspaces[workspace].host}/api/2.2/jobs/run-now`, token, {
        job_id: Number(job?.id),
      });
    };
    assert.equal((await run('prod')).status, 403);
    assert.equal((await run('dev')).status, 200);
  });
});
