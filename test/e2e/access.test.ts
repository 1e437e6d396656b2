import assert from 'node:assert/strict';

import { SEED } from '../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { editors } from './editors.ts';

const QUERY_ROLE = 'Query the recsys ranker';
const DEPLOY_ROLE = 'Deploy the recsys endpoints';
const PURPOSE = 'Compare the ranker with the new training run';

describe('access in the editor', () => {
  const there = editors();

  it('says what is wrong with a purpose or a time, and sends nothing', async () => {
    const ana = await there().open('ana-faults', { trusted: false, signedInAs: PEOPLE.ana });
    const line = await ana.line('ml-prod', 'Roles you can ask for', QUERY_ROLE);
    await ana.workbench.press(line, 'Request Access');
    const input = ana.workbench.quickInput();
    await ana.workbench.answer('What do you need it for?', ' ');
    await input.root.getByText('Say what you need it for.').waitFor();
    await input.input.fill('x'.repeat(10_000));
    await input.root.getByText(/Shorten it to .* characters/).waitFor();
    await input.input.fill(PURPOSE);
    await input.input.press('Enter');
    await ana.workbench.pick('It ends by itself', 'Another time');
    await ana.workbench.answer('For how long? At most', '0m');
    await input.root.getByText('Ask for at least one minute.').waitFor();
    await input.input.fill('400d');
    await input.root.getByText('Choose 8 hours at most.').waitFor();
    await input.input.press('Escape');
    await input.root.waitFor({ state: 'hidden' });
    assert.equal(await ana.workbench.row(ana.access, 'Granted for a time').count(), 0);
    assert.deepEqual(there().stage.databricks.members(SEED.jitGroups.endpointQuery.id), []);
  });

  it('asks for nothing in a folder that is not trusted, and asks once it is', async () => {
    const ana = await there().open('ana-restricted', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.line('ml-prod', 'Roles you can ask for', QUERY_ROLE);
    const question = ana.workbench.notification('Use OAM for Databricks in this folder?');
    assert.equal(await question.count(), 0);
    await ana.workbench.trustFolder();
    await question.waitFor();
  });

  it('leaves a window alone whose environment says who signs in, and says so', async () => {
    const env = { DATABRICKS_CONFIG_PROFILE: 'mine' };
    const ana = await there().open('ana-profile', { signedInAs: PEOPLE.ana, env });
    await ana.workbench.noticed(
      'This folder sets DATABRICKS_CONFIG_PROFILE itself, so OAM leaves its terminals',
    );
    const terminal = await ana.workbench.openTerminal();
    await terminal.runAlone('echo "[$DATABRICKS_CONFIG_PROFILE$DATABRICKS_METADATA_SERVICE_URL]"');
    await terminal.waitForText(/^\[mine\]$/m);
  });

  it('keeps pointers good over a reload of the window, and burns them at sign-out', async () => {
    const ana = await there().open('ana-reload', { signedInAs: PEOPLE.ana });
    await ana.useInFolder('ml-prod');
    const terminal = await ana.workbench.openTerminal();
    await terminal.runAlone('python score.py');
    await terminal.waitForText(/^I am ana\.silva@example\.com/m);
    await terminal.runAlone('echo "$DATABRICKS_METADATA_SERVICE_URL"');
    const pointer = /^http:\/\/127\.0\.0\.1:\d+\/\S+$/m;
    const before = pointer.exec(await terminal.waitForText(pointer))?.[0];

    // A terminal that is revived beside a new one takes its place on the screen now and then.
    await terminal.run('exit');
    await ana.page.locator('.terminal-wrapper').waitFor({ state: 'detached' });
    await ana.page.reload();
    await ana.showSideBar();
    await ana.line('ml-prod', 'Roles you can ask for', QUERY_ROLE);
    const again = await ana.workbench.openTerminal();
    await again.runAlone('echo "$DATABRICKS_METADATA_SERVICE_URL"');
    assert.equal(pointer.exec(await again.waitForText(pointer))?.[0], before);
    await again.runAlone('python score.py');
    await again.waitForText(/^I am ana\.silva@example\.com/m);

    await ana.workbench.command('Databricks ML OAM: Sign Out');
    await ana.access.getByRole('button', { name: 'Sign In' }).waitFor();
    await again.runAlone("python score.py 2>&1 | grep -c '^I am'");
    await again.waitForText(/^0$/m);
  });

  it('takes a double click for one, and gives back a role early, and Databricks knows at once', async () => {
    const ana = await there().open('ana-return', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.request(QUERY_ROLE, PURPOSE, 30, { doubleClicks: true });
    const grant = await ana.line('ml-prod', 'Granted for a time', new RegExp(`${QUERY_ROLE}.*left`));
    assert.equal(there().stage.databricks.members(SEED.jitGroups.endpointQuery.id).length, 1);
    assert.equal(await ana.workbench.row(ana.access, new RegExp(`${QUERY_ROLE}.*left`)).count(), 1);
    assert.equal(await ana.workbench.errors().count(), 0);
    assert.equal(await ana.workbench.quickInput().root.count(), 0);
    await ana.workbench.press(grant, 'Return Access');
    await ana.workbench
      .dialog(`Give back ${QUERY_ROLE} now?`)
      .getByRole('button', { name: 'Return Access' })
      .click();
    await ana.gone(QUERY_ROLE);
    assert.deepEqual(there().stage.databricks.members(SEED.jitGroups.endpointQuery.id), []);
  });

  it('opens a terminal as a federated role after the approval, beside one as the person', async () => {
    const ana = await there().open('ana-role', { signedInAs: PEOPLE.ana });
    await ana.useInFolder('ml-prod');
    await ana.request(DEPLOY_ROLE, 'Roll back to version 17', 30);
    await ana.line('ml-prod', 'Waiting for approval', DEPLOY_ROLE);
    const lena = await there().open('lena-role', { trusted: false, signedInAs: PEOPLE.lena });
    await lena.approve(new RegExp(`Ana Silva.*${DEPLOY_ROLE}`));

    const grant = await ana.line('ml-prod', 'Granted for a time', new RegExp(`${DEPLOY_ROLE}.*left`));
    await ana.workbench.press(grant, 'Open Terminal as Role');
    const asRole = ana.workbench.terminal();
    await asRole.waitForText(/[$#] ?$/m);
    await asRole.runAlone('python score.py');
    await asRole.waitForText(new RegExp(`^I am ${SEED.servicePrincipals.recsysDeployer.applicationId}`, 'm'));
    const asAna = await ana.workbench.openTerminal();
    await asAna.runAlone('python score.py');
    await asAna.waitForText(/^I am ana\.silva@example\.com/m);
  });

  it('shows Approvals to nobody who approves nothing', async () => {
    const aude = await there().open('aude', { trusted: false, signedInAs: PEOPLE.aude });
    assert.equal(await aude.approvals.count(), 0);
  });

  it('tells the person that the lead revoked, and Databricks refuses at once', async () => {
    const ana = await there().open('ana-revoked', { signedInAs: PEOPLE.ana });
    await ana.useInFolder('ml-prod');
    await ana.request(QUERY_ROLE, PURPOSE, 30);
    await ana.line('ml-prod', 'Granted for a time', new RegExp(`${QUERY_ROLE}.*left`));
    const terminal = await ana.workbench.openTerminal();
    await terminal.runAlone('python score.py');
    await terminal.waitForText(/The ranker answers/);

    const lena = await there().open('lena-revokes', { trusted: false, signedInAs: PEOPLE.lena });
    const line = await lena.teamLine('Ana Silva', QUERY_ROLE);
    await lena.workbench.press(line, 'Revoke Access');
    await lena.workbench.answer('Why does it end now? Ana Silva reads this.', 'The experiment is over');
    await line.waitFor({ state: 'detached' });

    await ana.gone(QUERY_ROLE);
    await ana.workbench.noticed(
      `Revoked by ${PEOPLE.lena.displayName}: ${QUERY_ROLE}. The experiment is over.`,
    );
    assert.deepEqual(there().stage.databricks.members(SEED.jitGroups.endpointQuery.id), []);
    await terminal.runAlone('python score.py');
    await terminal.waitForText(/PERMISSION_DENIED/);
  });

  it('tells the requester that the lead denied, with the reason', async () => {
    const ana = await there().open('ana-denied', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.request('Promote the recsys ranker', PURPOSE, 30);
    const request = await ana.line('ml-prod', 'Waiting for approval', /Promote the recsys ranker.*waits for/);
    const lena = await there().open('lena-denies', { trusted: false, signedInAs: PEOPLE.lena });
    const line = lena.workbench.row(lena.approvals, /Ana Silva.*Promote the recsys ranker/).first();
    await lena.workbench.press(line, 'Deny');
    await lena.workbench.answer('Why? Ana Silva reads this.', 'The A/B test still runs');
    await request.waitFor({ state: 'detached' });
    await ana.workbench.noticed(/The A\/B test still runs/);
  });
});
