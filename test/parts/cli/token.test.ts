import assert from 'node:assert/strict';

import * as z from 'zod/mini';

import { type Stage, startStage } from '../../../demo/stage/stage.ts';
import { GrantView, RequestView } from '../../../src/protocol/schemas.ts';
import { SEED } from '../../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { userOf } from '../sandbox/token-user.ts';
import { oam, type Run } from './oam-process.ts';

const Shown = z.object({ accessToken: z.string(), expiresAt: z.string() });

type As = (person: keyof typeof PEOPLE, words: readonly string[]) => Promise<Run>;

const commandLineAt =
  (stage: () => Stage): As =>
  (person, [command = '', ...words]) =>
    oam([command, '--no-keychain', ...words], { env: stage().commandLine, person: PEOPLE[person] });

/** Ana's grant of the role that acts as somebody else, approved by Lena. */
async function deployersGrant(as: As): Promise<GrantView> {
  const asking = as('ana', ['request', 'recsys-deployer', '--purpose', 'A script', '--wait', '--json']);
  let waiting: RequestView[] = [];
  while (waiting.length === 0) {
    const list = await as('lena', ['requests', '--to-approve', '--json']);
    waiting = z.array(RequestView).parse(JSON.parse(list.stdout));
  }
  await as('lena', ['approve', waiting[0]?.id ?? '']);
  return GrantView.parse(JSON.parse((await asking).stdout));
}

describe('oam token, with a real control plane', function () {
  this.timeout(90_000);
  let stage: Stage;
  let grant: GrantView;
  const as = commandLineAt(() => stage);

  before(async () => {
    stage = await startStage({ absenceConfirmMs: 200 });
    grant = await deployersGrant(as);
  });
  after(() => stage.close());

  const whose = (token: string) => userOf(stage.databricks.workspaces.prod.host, token);

  it("shows the person's own, and nothing else, on standard output", async () => {
    const run = await as('ana', ['token', '--workspace', 'ml-prod']);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^\S+\n$/);
    assert.equal(await whose(run.stdout.trim()), PEOPLE.ana.userName);
    assert.match(run.stderr, /^Good until .*Keep it out of files\.$/m);
    assert.ok(!run.stderr.includes(run.stdout.trim()));
  });

  it('shows that of a role that is somebody else, by its grant', async () => {
    const run = await as('ana', ['token', '--grant', grant.id]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^\S+\n$/);
    assert.equal(await whose(run.stdout.trim()), SEED.servicePrincipals.recsysDeployer.applicationId);
  });

  it('shows it with its end as JSON, one line', async () => {
    const run = await as('ana', ['token', '--grant', grant.id, '--json']);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^[^\n]+\n$/);
    const { accessToken, expiresAt } = Shown.parse(JSON.parse(run.stdout));
    assert.equal(await whose(accessToken), SEED.servicePrincipals.recsysDeployer.applicationId);
    assert.ok(Date.parse(expiresAt) > Date.now() && Date.parse(expiresAt) <= Date.parse(grant.endsAt ?? ''));
  });

  const refusals: readonly [
    what: string,
    person: keyof typeof PEOPLE,
    words: () => string[],
    said: RegExp,
  ][] = [
    ['where several workspaces could be meant', 'ana', () => [], /--workspace[^]*ml-prod, ml-dev/],
    ['for a workspace that there is not', 'ana', () => ['--workspace', 'ml-nowhere'], /ml-nowhere/],
    ['for a grant that there is not', 'ana', () => ['--grant', 'nosuch'], /^oam: /],
    ["for somebody else's grant", 'omar', () => ['--grant', grant.id], /^oam: /],
    ['for the grant of an approver who does not hold it', 'lena', () => ['--grant', grant.id], /^oam: /],
  ];
  for (const [what, person, words, said] of refusals) {
    it(`shows nothing ${what}, and ends with 1`, async () => {
      const run = await as(person, ['token', ...words()]);
      assert.deepEqual([run.code, run.stdout], [1, ''], run.stderr);
      assert.match(run.stderr.replace(/^To sign in[^]*?\)\.\n/, ''), said);
    });
  }

  it('shows nothing any more once the access has been returned, and says so', async () => {
    const returned = await as('ana', ['return', grant.id]);
    assert.equal(returned.code, 0, returned.stderr);
    const run = await as('ana', ['token', '--grant', grant.id]);
    assert.deepEqual([run.code, run.stdout], [1, ''], run.stderr);
    assert.match(run.stderr, /The access behind this address has ended|This access has ended/);
  });
});
