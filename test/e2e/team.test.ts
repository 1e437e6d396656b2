import type { OamWindow } from '../../demo/tour/oamWindow.ts';
import { SEED } from '../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { until } from '../host/until.ts';
import { editors } from './editors.ts';
import { elsewhere } from './elsewhere.ts';
import { picture, pictures } from './pictures.ts';

const QUERY_ROLE = 'Query the recsys ranker';
const DEPLOY_ROLE = 'Deploy the recsys endpoints';
const UNREACHABLE = /The server could not be reached/;

describe('the team of a lead', () => {
  const there = editors();

  /** Of whoever signs in nothing is known, and what is closed is not read. */
  async function forgetTeam(lena: OamWindow): Promise<void> {
    await lena.workbench.openView('Team', false);
    await lena.workbench.command('Databricks ML OAM: Sign Out');
    await there().stage.identityProvider.revokeSessions(PEOPLE.lena.sub);
    await lena.signIn(PEOPLE.lena);
    await lena.line('ml-prod');
  }

  it('that holds nothing is said to, and so is that nobody waits for an approval', async () => {
    const lena = await there().open('lena-empty', { trusted: false, signedInAs: PEOPLE.lena });
    await lena.workbench.widenSideBar(420);
    await lena.approvals.getByText('No request waits for your approval.').waitFor();
    await lena.team.getByText('Nobody in your teams holds anything for a time').waitFor();
    await pictures(lena, 'team-empty');
    await lena.workbench.command('Databricks ML OAM: Show Team Timeline');
    const page = await lena.workbench.frameWith('p.empty');
    await page.getByText('Nobody in your teams holds anything for a time.').waitFor();
    await pictures(lena, 'timeline-empty', 'p.empty');
  });

  it('is not taken for an empty one while it is read, and says why it cannot be', async () => {
    const { controlPlane } = there().stage;
    const lena = await there().open('lena-waits', { trusted: false, signedInAs: PEOPLE.lena });
    await lena.workbench.widenSideBar(420);
    await forgetTeam(lena);
    controlPlane.pause();
    try {
      await lena.workbench.openView('Team', true);
      await lena.team.getByText('Reading what your teams hold…').waitFor();
      await pictures(lena, 'team-loading');
    } finally {
      controlPlane.resume();
    }
    await lena.team.getByText('Reading what your teams hold…').waitFor({ state: 'detached' });
    await forgetTeam(lena);
    await controlPlane.kill();
    try {
      await lena.workbench.openView('Team', true);
      await lena.team.getByText(UNREACHABLE).waitFor();
      await lena.approvals.getByText(/Not up to date/).waitFor();
      await lena.workbench.command('Databricks ML OAM: Show Team Timeline');
      const page = await lena.workbench.frameWith('p.message');
      await page.getByText(UNREACHABLE).waitFor();
      await pictures(lena, 'team-error', 'p.message');
    } finally {
      await controlPlane.restart();
    }
    await lena.approvals.getByText(/Not up to date/).waitFor({ state: 'detached' });
    await lena.team.getByText(UNREACHABLE).waitFor({ state: 'detached' });
  });

  it('is not the only thing that is read: Approvals says so too, and what can be done where it cannot be', async () => {
    const { controlPlane } = there().stage;
    const lena = await there().open('lena-begins', { trusted: false, signedInAs: PEOPLE.lena });
    await lena.workbench.widenSideBar(420);
    const none = lena.approvals.getByText('No request waits for your approval.');
    await none.waitFor();
    // Each change of the colours is kept by VS Code, and with it what the extension asked it to keep before.
    await pictures(lena, 'approvals-empty');
    controlPlane.pause();
    try {
      await lena.page.reload();
      await lena.showSideBar();
      await lena.approvals.getByText('Reading what waits for your approval…').waitFor();
      await picture(lena, 'approvals-loading');
    } finally {
      controlPlane.resume();
    }
    await none.waitFor();
    await controlPlane.kill();
    try {
      await lena.page.reload();
      await lena.showSideBar();
      await lena.approvals.getByText('What waits for your approval could not be read.').waitFor();
      await pictures(lena, 'approvals-error');
    } finally {
      await controlPlane.restart();
    }
    await lena.approvals.getByRole('button', { name: 'Try Again' }).click();
    await none.waitFor();
  });

  it('shows first the token that outlives its access, and the access that Databricks does not let end', async () => {
    const { stage } = there();
    const ana = elsewhere(stage, PEOPLE.ana);
    const lead = elsewhere(stage, PEOPLE.lena);
    const asked = await ana.call('createRequest', {
      body: { roleId: 'recsys-deployer', purpose: 'Roll back to version 16', minutes: 60 },
    });
    const { grantId } = await lead.call('approveRequest', {
      params: { id: asked.id },
      version: asked.version,
      body: {},
    });
    const deploys = { id: grantId ?? '' };
    await until('the deployer works', async () => {
      const { state } = await ana.call('getGrant', { params: deploys });
      return state === 'active';
    });
    await ana.call('issueCredential', { params: deploys });
    await ana.call('returnGrant', { params: deploys });
    const lena = await there().open('lena-trouble', { trusted: false, signedInAs: PEOPLE.lena });
    await lena.workbench.widenSideBar(420);
    const first = lena.workbench.row(lena.team, /./).first();
    await first.filter({ hasText: 'Outlives its access' }).waitFor();
    await lena.workbench.row(lena.team, `Token for ${DEPLOY_ROLE}`).first().waitFor();

    const taken = await ana.call('createRequest', {
      body: { roleId: 'recsys-endpoint-query', purpose: 'Compare the rankers', minutes: 30 },
    });
    const queries = { id: taken.grantId ?? '' };
    await until('the query role works', async () => {
      const { state } = await ana.call('getGrant', { params: queries });
      return state === 'active';
    });
    // It refuses until long after the pictures are taken.
    stage.databricks.tune({
      failNext: {
        ...{ status: 403, count: 9, method: 'PATCH' },
        path: new RegExp(`Groups/${SEED.jitGroups.endpointQuery.id}`),
      },
    });
    await ana.call('returnGrant', { params: queries });
    const stuck = lena.workbench
      .row(lena.team, new RegExp(`${QUERY_ROLE}.*Ana Silva.*removal fails since`))
      .first();
    await stuck.waitFor();
    await pictures(lena, 'team-trouble');
    await lena.workbench.command('Databricks ML OAM: Show Team Timeline');
    const page = await lena.workbench.frameWith('section.picture');
    await page.locator('rect.bar.stuck[data-row]').first().waitFor();
    await page.locator('rect.bar.outliving[data-row]').first().waitFor();
    await pictures(lena, 'timeline-trouble', 'section.picture');
  });
});
