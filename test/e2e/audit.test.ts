import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { editors } from './editors.ts';
import { elsewhere } from './elsewhere.ts';
import { picture, pictures } from './pictures.ts';
import { saveAsOffered } from './saving.ts';

const ROLE = 'recsys-endpoint-query';

describe('an auditor in the editor', () => {
  const there = editors();

  const ana = () => elsewhere(there().stage, PEOPLE.ana);

  it('searches the trail, follows a grant, verifies the chain and takes it away', async () => {
    const request = await ana().call('createRequest', {
      body: { roleId: ROLE, purpose: 'Compare the rankers', minutes: 30 },
    });
    await ana().call('returnGrant', { params: { id: request.grantId ?? '' } });
    const aude = await there().open('aude-audits', { trusted: false, signedInAs: PEOPLE.aude });
    await aude.workbench.widenSideBar(460);
    assert.equal(await aude.team.count(), 0);
    await aude.workbench
      .row(aude.audit, /Access was requested.*Ana Silva.*request\.created/)
      .first()
      .waitFor();
    await pictures(aude, 'audit');

    await aude.workbench.command('Databricks ML OAM: Search Audit Trail');
    await aude.workbench.pick('A row has to meet all of it', 'Who…');
    await aude.workbench.answer('Whose doing?', PEOPLE.ana.userName);
    await aude.workbench.pick('A row has to meet all of it', 'What…');
    await aude.workbench.pick('Which events?', 'grant.*');
    await aude.workbench.pick('A row has to meet all of it', 'Search');
    await aude.audit.getByText(`event grant.*, by ${PEOPLE.ana.userName}`).waitFor();
    const row = aude.workbench.row(aude.audit, /Access .*Ana Silva.*grant\.\w+/).first();
    await row.waitFor();
    await aude.workbench.row(aude.audit, 'session.seen').first().waitFor({ state: 'detached' });
    await aude.workbench.press(row, 'Follow Grant');
    const story = await aude.workbench.frameWith('table');
    for (const event of ['request.created', 'grant.ended']) await story.getByText(event).first().waitFor();
    await pictures(aude, 'audit-grant', 'table');

    await aude.workbench.command('Databricks ML OAM: Verify Audit Trail');
    await aude.workbench.frameWith('text=/The trail holds: \\d+ rows/');
    await pictures(aude, 'audit-verified');
    await aude.workbench.command('Databricks ML OAM: Verify Audit Trail');
    await aude.workbench.frameWith('text=The keys are those that this machine saw first.');

    await aude.workbench.command('Databricks ML OAM: Clear Audit Search');
    await aude.audit.getByText('event grant.*').waitFor({ state: 'detached' });
    await aude.workbench.command('Databricks ML OAM: Export Audit Trail');
    await aude.workbench.pick('In which form?', 'CSV');
    const file = await saveAsOffered(aude, 'audit-trail.csv');
    await aude.workbench.notification('The audit trail is exported').waitFor();
    const text = await readFile(file, 'utf8');
    assert.match(text, /^\ufeffsequence,at,event,/);
    assert.match(text, /,grant\.ended,/);
  });

  it('is told that no row meets all of it, and shows Audit to nobody else', async () => {
    const aude = await there().open('aude-searches', { trusted: false, signedInAs: PEOPLE.aude });
    await aude.workbench.command('Databricks ML OAM: Search Audit Trail');
    await aude.workbench.pick('A row has to meet all of it', 'Role…');
    await aude.workbench.answer('The id of the role', 'no-such-role');
    await aude.workbench.pick('A row has to meet all of it', 'Search');
    await aude.workbench.row(aude.audit, 'No row meets all of it').waitFor();
    await pictures(aude, 'audit-nothing');
    const lena = await there().open('lena-no-audit', { trusted: false, signedInAs: PEOPLE.lena });
    assert.equal(await lena.audit.count(), 0);
  });

  it('sees that the trail is being read', async () => {
    const { controlPlane } = there().stage;
    const aude = await there().open('aude-waits', { trusted: false, signedInAs: PEOPLE.aude });
    await aude.workbench.widenSideBar(460);
    await aude.workbench.row(aude.audit, 'session.seen').first().waitFor();
    // Of whoever signs in nothing is known, and what is closed is not read.
    await aude.workbench.openView('Audit', false);
    await aude.workbench.command('Databricks ML OAM: Sign Out');
    await there().stage.identityProvider.revokeSessions(PEOPLE.aude.sub);
    await aude.signIn(PEOPLE.aude);
    await aude.line('ml-prod');
    controlPlane.pause();
    try {
      await aude.workbench.openView('Audit', true);
      await aude.page.locator('.part.sidebar .monaco-progress-container.active').waitFor();
      await picture(aude, 'audit-loading');
    } finally {
      controlPlane.resume();
    }
    await aude.workbench.row(aude.audit, 'session.seen').first().waitFor();
  });

  it('says what is wrong while the control plane is away', async () => {
    const aude = await there().open('aude-away', { trusted: false, signedInAs: PEOPLE.aude });
    await aude.workbench.widenSideBar(460);
    await aude.workbench.row(aude.audit, 'session.seen').first().waitFor();
    await there().stage.controlPlane.kill();
    try {
      await aude.workbench.command('Databricks ML OAM: Clear Audit Search').catch(() => undefined);
      await aude.workbench.command('Databricks ML OAM: Search Audit Trail');
      await aude.workbench.pick('A row has to meet all of it', 'Role…');
      await aude.workbench.answer('The id of the role', ROLE);
      await aude.workbench.pick('A row has to meet all of it', 'Search');
      await aude.audit.getByText(/could not be reached/).waitFor();
      await pictures(aude, 'audit-away');
    } finally {
      await there().stage.controlPlane.restart();
    }
  });
});
