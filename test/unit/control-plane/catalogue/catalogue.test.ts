import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';

import {
  type Catalogue,
  type Environment,
  readCatalogue,
} from '../../../../src/control-plane/catalogue/catalogue.ts';
import type { CatalogueTerms } from '../../../../src/control-plane/catalogue/terms.ts';
import { FileProblemsError } from '../../../../src/control-plane/configuration/problems.ts';
import { readPolicyFolder } from '../../../../src/control-plane/policy/folder.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { DEMO_POLICY, ENVIRONMENT, type PolicyFolder, policyFolder } from '../policy/folder.ts';

async function loadCatalogue(
  folder: string,
  environment: Environment,
  terms?: CatalogueTerms,
): Promise<Catalogue> {
  const { texts } = await readPolicyFolder(folder);
  return readCatalogue(`${folder}/catalogue.yaml`, texts.get('catalogue.yaml'), environment, terms);
}

describe('the catalogue', () => {
  let folder: PolicyFolder;

  beforeEach(async () => {
    folder = await policyFolder();
  });
  afterEach(() => folder.remove());

  const problems = async (
    environment: Record<string, string> = ENVIRONMENT,
    terms?: CatalogueTerms,
  ): Promise<string[]> => {
    try {
      await loadCatalogue(folder.path, environment, terms);
    } catch (error) {
      assert.ok(error instanceof FileProblemsError, String(error));
      assert.equal(error.code, 'catalogue_invalid');
      return error.problems.map(({ line, message }) => `${line ?? ''}: ${message}`);
    }
    return [];
  };

  const replace = (from: string, to: string) => folder.replace('catalogue.yaml', from, to);

  /** The number of the first line that holds a text. */
  const line = async (text: string): Promise<number> => {
    const lines = (await readFile(`${folder.path}/catalogue.yaml`, 'utf8')).split('\n');
    const index = lines.findIndex((candidate) => candidate.includes(text));
    assert.ok(index >= 0, text);
    return index + 1;
  };

  it('of the demo fits the stand-in account', async () => {
    const { roles, workspaces } = await loadCatalogue(DEMO_POLICY, ENVIRONMENT);
    assert.deepEqual(
      workspaces.map(({ name, host }) => [name, host]),
      [
        [SEED.workspaces.prod.name, ENVIRONMENT.OAM_WORKSPACE_PROD],
        [SEED.workspaces.dev.name, ENVIRONMENT.OAM_WORKSPACE_DEV],
      ],
    );
    assert.deepEqual(
      roles.map(({ group }) => group),
      Object.values(SEED.jitGroups),
    );
    const deployer = roles.find(({ credential }) => credential === 'federated');
    assert.equal(deployer?.id, SEED.deployerRole);
    const { id, applicationId } = SEED.servicePrincipals.recsysDeployer;
    assert.deepEqual(deployer.servicePrincipal, { id, applicationId });
  });

  it('lets the leads of the team approve where it names nobody', async () => {
    const { roles } = await loadCatalogue(folder.path, ENVIRONMENT);
    const promote = roles.find(({ id }) => id === 'recsys-model-promote');
    assert.deepEqual(promote?.approval, [{ approverGroups: ['ml-recsys-leads'], quorum: 1 }]);
    assert.equal(promote.tokenMinutes, 15);
  });

  it('knows approvers by duty, by attribute and by the team of the role', async () => {
    const { roles, attributes } = await loadCatalogue(folder.path, ENVIRONMENT);
    assert.deepEqual(attributes, ['on_call']);
    assert.deepEqual(roles.find(({ id }) => id === 'platform-cluster-operator')?.approval, [
      {
        approverGroups: [],
        approverDuty: 'ops-engineer',
        approverAttributes: { on_call: ['platform'] },
        ofTeam: { name: 'platform', groups: ['ml-platform', 'ml-platform-leads'] },
        quorum: 1,
      },
    ]);
  });

  it('refuses a stage that names nobody, an attribute or a duty that is misspelt, and an attribute without values', async () => {
    await replace('        ofTeam: true', '        ofTeam: false');
    await replace('{ on_call: [platform] }', '{ oncall: [platform] }');
    assert.match((await problems())[0] ?? '', /'oncall' is not one of the 'attributes'.*mean 'on_call'\?/);
    await replace('{ oncall: [platform] }', '{ on_call: [] }');
    assert.match((await problems())[0] ?? '', /on_call' must not be empty/);
    await replace('        approverAttributes: { on_call: [] }\n', '');
    await replace('approverDuty: ops-engineer', 'approverDuty: ops-engineers');
    assert.match((await problems())[0] ?? '', /Did you mean 'ops-engineer'\?/);
    await replace('      - approverDuty: ops-engineers\n        ofTeam: false', '      - ofTeam: false');
    assert.match((await problems())[0] ?? '', /names nobody who may approve/);
  });

  it('refuses an unknown key, says which was meant, and on which line', async () => {
    await replace('    maxMinutes: 480', '    maxMinute: 480');
    const found = await problems();
    assert.ok(
      found.includes(
        `${await line('maxMinute:')}: Unknown key 'maxMinute' in 'roles.0'. Did you mean 'maxMinutes'?`,
      ),
      found.join('\n'),
    );
    assert.ok(found.some((problem) => problem.endsWith("'roles.0.maxMinutes' is missing.")));
  });

  it('refuses a value that is not one of those it may be', async () => {
    await replace('sensitivity: low', 'sensitivity: lo');
    assert.deepEqual(await problems(), [
      `${await line('sensitivity: lo')}: 'roles.0.sensitivity' must be one of low, medium, high. Did you mean 'low'?`,
    ]);
  });

  it('refuses a number without quotes where a text is meant', async () => {
    await replace("id: '9101'", 'id: 9101');
    assert.deepEqual(await problems(), [
      `${await line('id: 9101')}: 'roles.0.group.id' must be a text (in quotes if it looks like a number).`,
    ]);
  });

  it('refuses names that do not exist, and says which were meant', async () => {
    await replace('workspace: ml-prod', 'workspace: ml-prd');
    await replace('team: platform', 'team: plattform');
    assert.deepEqual(await problems(), [
      `${await line('workspace: ml-prd')}: Role 'recsys-endpoint-query': there is no workspace 'ml-prd'. Did you mean 'ml-prod'?`,
      `${await line('team: plattform')}: Role 'platform-cluster-operator': there is no team 'plattform'. Did you mean 'platform'?`,
    ]);
  });

  it("refuses 'member' for a highly sensitive role, and kinds that do not go with their parts", async () => {
    await replace('sensitivity: medium', 'sensitivity: high');
    assert.match((await problems())[0] ?? '', /sensitivity 'high' cannot be 'member'.*Use 'federated'/);
    await replace(
      'sensitivity: high\n    credential: member',
      'sensitivity: medium\n    credential: federated',
    );
    assert.match((await problems())[0] ?? '', /'federated' needs a 'servicePrincipal'/);
    await replace(
      'sensitivity: medium\n    credential: federated',
      'sensitivity: high\n    credential: assume',
    );
    assert.match((await problems())[0] ?? '', /sensitivity 'high' cannot be 'assume'.*Use 'federated'/);
    await replace('sensitivity: high\n    credential: assume', 'sensitivity: medium\n    credential: assume');
    await replace('credential: assume', 'credential: member');
    assert.deepEqual(await problems(), []);
    await replace('sensitivity: high\n    credential: federated', 'sensitivity: low\n    credential: member');
    assert.match((await problems())[0] ?? '', /take the 'servicePrincipal' away/);
  });

  it('knows where a workspace has the tokens of people from, and refuses what does not go with it', async () => {
    await replace('  - name: ml-dev\n', '  - name: ml-dev\n    signInClient: our-own\n');
    assert.match(
      (await problems())[0] ?? '',
      /'ml-dev': nobody signs in there.*Take the 'signInClient' away/,
    );
    await replace(
      '    signInClient: our-own\n',
      '    tokenSource: databricks-sign-in\n    signInClient: our-own\n',
    );
    assert.deepEqual(await problems(), []);
    await replace('  - name: ml-prod\n', '  - name: ml-prod\n    tokenSource: databricks-sign-in\n');
    assert.deepEqual(await problems(), []);
    await replace('credential: member', 'credential: assume');
    assert.match(
      (await problems())[0] ?? '',
      /'assume' exchanges the person's ID token, and the 'tokenSource' of 'ml-prod' is 'databricks-sign-in'/,
    );
    await replace('tokenSource: databricks-sign-in', 'tokenSource: guess');
    assert.match((await problems())[0] ?? '', /tokenSource/);
  });

  it('takes personal access tokens only where the configuration has whom to make them by, and not on Azure', async () => {
    const on = { personalTokens: true, ownApplicationIds: [] };
    await replace('credential: federated', 'credential: pat');
    await replace('maxMinutes: 120', 'maxMinutes: 60');
    const at = await line('credential: pat');
    const [off = '', ...others] = await problems();
    assert.deepEqual(others, []);
    assert.ok(off.startsWith(`${at}: Role 'recsys-deployer': 'pat' is off unless`), off);
    assert.match(off, /'databricks\.pat'/);
    assert.deepEqual(await problems(ENVIRONMENT, on), []);

    for (const host of ['adb-1.2.azuredatabricks.net', 'x.databricks.azure.us', 'x.databricks.azure.cn']) {
      const [azure = ''] = await problems({ ...ENVIRONMENT, OAM_WORKSPACE_PROD: `https://${host}` }, on);
      assert.ok(azure.startsWith(`${at}: `), azure);
      assert.match(azure, /not to be had on Azure/);
    }
    const aws = { ...ENVIRONMENT, OAM_WORKSPACE_PROD: 'https://dbc-1.cloud.databricks.com' };
    assert.deepEqual(await problems(aws, on), []);

    await replace('maxMinutes: 60\n    approval', 'maxMinutes: 61\n    approval');
    assert.match(
      (await problems(ENVIRONMENT, on))[0] ?? '',
      /'high' can be 'pat' with maxMinutes of 60 at most/,
    );
    await replace('sensitivity: high', 'sensitivity: medium');
    assert.deepEqual(await problems(ENVIRONMENT, on), []);
  });

  it("refuses a role that would act as one of OAM's own service principals", async () => {
    const { applicationId } = SEED.servicePrincipals.recsysDeployer;
    const [own = ''] = await problems(ENVIRONMENT, {
      personalTokens: false,
      ownApplicationIds: ['another', applicationId],
    });
    assert.ok(own.startsWith(`${await line(applicationId)}: `), own);
    assert.match(own, /cannot act as a service principal of OAM's own/);
  });

  it('refuses two roles on one group, on one service principal, and with one id', async () => {
    await replace("id: '9102'", "id: '9101'");
    await replace('id: recsys-model-promote', 'id: recsys-endpoint-query');
    assert.deepEqual(
      (await problems()).map((problem) => problem.replace(/^\d+: /, '')),
      [
        "'recsys-endpoint-query' is taken by another of the roles.",
        "'9101' is taken by another of the roles.",
      ],
    );
    await replace("id: '9101', name: oam-jit-recsys-model", "id: '9102', name: oam-jit-recsys-model");
    await replace(
      '- id: recsys-endpoint-query\n    title: Promote',
      '- id: recsys-model-promote\n    title: Promote',
    );
    await replace(
      'sensitivity: medium\n    credential: member',
      `sensitivity: medium\n    credential: federated\n    servicePrincipal: { id: '1', applicationId: ${SEED.servicePrincipals.recsysDeployer.applicationId} }`,
    );
    assert.deepEqual(
      (await problems()).map((problem) => problem.replace(/^\d+: /, '')),
      [`'${SEED.servicePrincipals.recsysDeployer.applicationId}' is taken by another of the roles.`],
    );
  });

  it('refuses windows and tokens that cannot be', async () => {
    await replace('defaultMinutes: 60\n    maxMinutes: 480', 'defaultMinutes: 600\n    maxMinutes: 480');
    assert.match((await problems())[0] ?? '', /offers 600 minutes, more than maxMinutes allows/);
    await replace('maxMinutes: 480', 'maxMinutes: 576000');
    assert.match((await problems())[0] ?? '', /'roles.0.maxMinutes' must be at most 43200\./);
    await replace('maxMinutes: 576000', 'maxMinutes: 0');
    assert.match((await problems())[0] ?? '', /'roles.0.maxMinutes' must be at least 1\./);
    await replace('maxMinutes: 0', 'maxMinutes: 600');
    await replace('tokenMinutes: 15', 'tokenMinutes: 61');
    assert.match((await problems())[0] ?? '', /'roles.2.tokenMinutes' must be at most 60\./);
  });

  it('takes hosts by https only, but for the machine itself, and as bare origins', async () => {
    const withHost = (host: string) => problems({ ...ENVIRONMENT, OAM_WORKSPACE_PROD: host });
    assert.deepEqual(await withHost('https://adb-1.2.azuredatabricks.net'), []);
    assert.match((await withHost('http://example.com'))[0] ?? '', /^6: .*must begin with https/);
    assert.match((await withHost('http://127.0.0.1.example.com'))[0] ?? '', /must begin with https/);
    assert.match((await withHost('https://example.com/'))[0] ?? '', /must be an origin, without path/);
    assert.match((await withHost('https://a:b@example.com'))[0] ?? '', /user name or a password/);
    assert.match((await withHost('example.com'))[0] ?? '', /must be an address/);
    assert.match(
      (await withHost(ENVIRONMENT.OAM_WORKSPACE_DEV))[0] ?? '',
      /taken by another of the workspaces/,
    );
  });

  it('says which environment variable is not set', async () => {
    assert.deepEqual(await problems({ OAM_WORKSPACE_PROD: 'https://x.example.com' }), [
      '8: The environment variable OAM_WORKSPACE_DEV is not set.',
    ]);
  });

  it('says where YAML ends to be YAML, and what a file that is not there is called', async () => {
    await folder.write('catalogue.yaml', 'workspaces:\n  - name: a\n   host: b\n');
    assert.match((await problems())[0] ?? '', /^3: /);
    await folder.write('catalogue.yaml', 'teams: []\nteams: []\n');
    assert.match((await problems())[0] ?? '', /^2: .*unique/i);
    await folder.write('catalogue.yaml', '');
    assert.match((await problems())[0] ?? '', /The file/);
    await rm(`${folder.path}/catalogue.yaml`);
    assert.match((await problems())[0] ?? '', /missing or cannot be read/);
  });

  it('refuses what gives away more than anybody means to give', async () => {
    for (const group of ['ml-recsys', 'ml-platform-leads']) {
      await replace('name: oam-jit-recsys-endpoint-query', `name: ${group}`);
      assert.match((await problems()).join(), /its group '.*' is that of .* Make a group for the role alone/);
      await replace(`name: ${group} }`, 'name: oam-jit-recsys-endpoint-query }');
    }
    await replace('approverGroups: [ml-recsys-leads]', 'approverGroups: [oam-jit-recsys-deployer]');
    assert.match((await problems()).join(), /is that of approvers/);
    await replace('approverGroups: [oam-jit-recsys-deployer]', 'approverGroups: [ml-recsys-leads]');
    await replace('approverDuty: ops-engineer', 'approverDuty: auditor');
    assert.match((await problems()).join(), /auditors do not approve/);
  });
});
