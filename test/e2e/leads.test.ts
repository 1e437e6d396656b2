import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { DAY_MS, MINUTE_MS } from '../../src/domain/time.ts';
import { SEED } from '../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { until } from '../host/until.ts';
import { editors } from './editors.ts';
import { elsewhere } from './elsewhere.ts';
import { picture, pictures } from './pictures.ts';
import { saveAsOffered } from './saving.ts';

const QUERY_ROLE = 'Query the recsys ranker';
const PROMOTE_ROLE = 'Promote the recsys ranker';

const DAY_SECONDS = DAY_MS / 1_000;

describe('a lead in the editor', () => {
  const there = editors();
  before(() => {
    there().stage.databricks.personalAccessToken('prod', PEOPLE.ana.userName, {
      ...{ comment: 'laptop of last year', ageSeconds: 400 * DAY_SECONDS, lifetimeSeconds: undefined },
    });
  });

  it('reads who asks and what was before, shortens the window, and sees what others settled', async () => {
    const ana = elsewhere(there().stage, PEOPLE.ana);
    const second = elsewhere(there().stage, {
      ...PEOPLE.lena,
      sub: 'second-lead',
      userName: 'max@example.com',
      displayName: 'Max Weber',
    });
    const before = await ana.call('createRequest', {
      body: { roleId: 'recsys-model-promote', purpose: 'Promote version 16', minutes: 30 },
    });
    await second.call('denyRequest', {
      params: { id: before.id },
      version: before.version,
      body: { reason: 'The evaluation still runs' },
    });
    const lena = await there().open('lena-approves', { trusted: false, signedInAs: PEOPLE.lena });
    await lena.approvals.waitFor();
    const asked = await ana.call('createRequest', {
      body: {
        roleId: 'recsys-model-promote',
        purpose: 'Promote version 17, which wins the evaluation by 2 % [look](command:workbench.action.quit)',
        ticket: 'ML-2071',
        minutes: 60,
        codeContext: {
          repository: 'git@github.com:example/ranker.git',
          branch: 'release/17',
          commit: 'abcdef0123',
        },
      },
    });
    const arrival = lena.workbench.notification(`Ana Silva asks for ${PROMOTE_ROLE}`);
    await arrival.waitFor();
    assert.equal(await arrival.getByRole('link', { name: 'look' }).count(), 0);
    await pictures(lena, 'approvals-arrival');
    const kept = await lena.workbench.noticed(`Ana Silva asks for ${PROMOTE_ROLE}`);
    await kept.getByRole('button', { name: 'Show', exact: true }).click();
    const page = await lena.workbench.frameWith('h1');
    for (const text of [
      `Ana Silva asks for ${PROMOTE_ROLE}`,
      'Data scientist',
      'ML-2071, which nobody verified',
      'Branch: release/17',
      'The evaluation still runs',
      '1 denied',
    ]) {
      await page.getByText(text).first().waitFor();
    }
    await pictures(lena, 'approvals-request', 'h1');

    const line = lena.workbench.row(lena.approvals, /Ana Silva.*Promote/).first();
    await lena.workbench.press(line, 'Approve');
    const dialog = lena.workbench.dialog(`Approve ${PROMOTE_ROLE} for Ana Silva?`);
    await dialog.waitFor();
    await picture(lena, 'approvals-dialog');
    await dialog.getByRole('button', { name: 'Approve for Less Time…' }).click();
    await lena.workbench.answer('For how long?', '20m');
    await line.waitFor({ state: 'detached' });
    const approved = await ana.call('getRequest', { params: { id: asked.id } });
    assert.deepEqual([approved.state, approved.approvedMinutes], ['approved', 20]);

    const other = await ana.call('createRequest', {
      body: { roleId: 'recsys-deployer', purpose: 'Roll back to version 16', minutes: 30 },
    });
    const waiting = lena.workbench.row(lena.approvals, /Ana Silva.*Deploy/).first();
    await waiting.waitFor();
    await second.call('denyRequest', {
      params: { id: other.id },
      version: other.version,
      body: { reason: 'Version 17 stays' },
    });
    await waiting.waitFor({ state: 'detached' });
    const handled = lena.workbench.row(lena.approvals, 'Recently handled');
    await handled.waitFor();
    await handled.locator('.monaco-tl-twistie').click();
    await lena.workbench.row(lena.approvals, /denied by Max Weber/).waitFor();
    await pictures(lena, 'approvals-handled');

    // What comes and goes meanwhile leaves open and selected what was.
    const settled = lena.workbench.row(lena.approvals, /denied by Max Weber/).first();
    await settled.click();
    await ana.call('createRequest', {
      body: { roleId: 'recsys-deployer', purpose: 'Roll back to version 15', minutes: 30 },
    });
    await lena.workbench
      .row(lena.approvals, /Ana Silva.*Deploy/)
      .first()
      .waitFor();
    assert.equal(await handled.getAttribute('aria-expanded'), 'true');
    assert.equal(await settled.getAttribute('aria-selected'), 'true');
  });

  it('reviews an emergency where its notification is', async () => {
    const ana = elsewhere(there().stage, PEOPLE.ana);
    const lena = await there().open('lena-reviews', { trusted: false, signedInAs: PEOPLE.lena });
    await lena.approvals.waitFor();
    const taken = await ana.call('createRequest', {
      body: {
        ...{ roleId: 'recsys-endpoint-query', purpose: 'The ranker answers nonsense', minutes: 30 },
        ...{ ticket: 'INC-7', breakGlass: true },
      },
    });
    await lena.workbench.noticed('in an emergency, without approval');
    await pictures(lena, 'review-notice');
    const notice = await lena.workbench.noticed('in an emergency, without approval');
    await notice.getByRole('button', { name: 'Review…' }).click();
    await lena.workbench.pick('They said: The ranker answers nonsense', 'It was right');
    await lena.workbench.answer('Why do you think so?', 'Agreed on the phone');
    await lena.workbench.notification('was right to take').waitFor();
    const grant = await ana.call('getGrant', { params: { id: taken.grantId ?? '' } });
    assert.deepEqual([grant.review?.state, grant.review?.reviewer?.sub], ['ok', PEOPLE.lena.sub]);
    await ana.call('returnGrant', { params: { id: grant.id } });
  });

  it('sees what their people hold and how long, and ends it from the picture', async () => {
    const { stage } = there();
    const ana = elsewhere(there().stage, PEOPLE.ana);
    await ana.call('createRequest', {
      body: { roleId: 'recsys-endpoint-query', purpose: 'Compare the rankers', minutes: 90 },
    });
    const lena = await there().open('lena-team', { trusted: false, signedInAs: PEOPLE.lena });
    await lena.workbench.widenSideBar(420);
    await lena.teamLine('Ana Silva', new RegExp(`${QUERY_ROLE}.*left`));
    await lena.workbench.row(lena.team, /without an end, made 400 days ago/).waitFor();
    await pictures(lena, 'team');
    await lena.workbench.command('Databricks ML OAM: Show Team Timeline');
    const page = await lena.workbench.frameWith('section.picture');
    const bar = page.locator('rect[data-row]').first();
    await bar.waitFor();
    assert.match((await bar.getAttribute('aria-label')) ?? '', /^Access, Ana Silva: /);
    await pictures(lena, 'timeline', 'section.picture');
    // By keys alone: to the bar, to its line, to its button.
    await bar.focus();
    await bar.press('Enter');
    assert.equal(await page.locator('tr.chosen').count(), 1);
    await page.getByRole('button', { name: `Revoke ${QUERY_ROLE} of Ana Silva` }).press('Enter');
    await lena.workbench.answer('Why does it end now? Ana Silva reads this.', 'The comparison is done');
    await lena.gone(QUERY_ROLE, lena.team);
    assert.deepEqual(stage.databricks.members(SEED.jitGroups.endpointQuery.id), []);
  });

  it('extends from the picture what their people hold, and takes all of it away for a spreadsheet', async () => {
    const ana = elsewhere(there().stage, PEOPLE.ana);
    const startedMs = Date.now();
    await ana.call('createRequest', {
      body: { roleId: 'recsys-endpoint-query', purpose: 'Compare them again', minutes: 20 },
    });
    const lena = await there().open('lena-extends', { trusted: false, signedInAs: PEOPLE.lena });
    await lena.teamLine('Ana Silva', new RegExp(`${QUERY_ROLE}.*left`));
    await lena.workbench.command('Databricks ML OAM: Show Team Timeline');
    const page = await lena.workbench.frameWith('section.picture');
    const extend = page.getByRole('button', { name: `Extend ${QUERY_ROLE} of Ana Silva` });
    const told = page.locator('tbody tr').filter({ has: extend });
    const toldBefore = await told.innerText();
    await extend.press('Enter');
    await lena.workbench.notification(`Extended for Ana Silva: ${QUERY_ROLE}.`).waitFor();
    await until('the page tells the new end', async () => (await told.innerText()) !== toldBefore);
    // The page tells it without being made anew: who pressed the button is still at its line.
    assert.equal(await page.evaluate('document.activeElement?.id'), await told.getAttribute('id'));

    await lena.workbench.command('Databricks ML OAM: Export Team as CSV');
    const file = await saveAsOffered(lena, '.csv');
    await lena.workbench.notification('Exported what your teams hold.').waitFor();
    const lines = (await readFile(file, 'utf8')).split(/\r?\n/).map((text) => text.split(','));
    const endsAt = lines[0]?.indexOf('ends_at') ?? -1;
    const held = lines.find((columns) => columns.includes('Compare them again'));
    assert.equal(held?.[1], 'Ana Silva');
    // Twenty minutes were asked for; what was added begins where they end.
    assert.ok(Date.parse(held[endsAt] ?? '') > startedMs + 30 * MINUTE_MS, String(held));
  });

  it('shows Team to nobody who leads nobody', async () => {
    const ana = await there().open('ana-no-team', { trusted: false, signedInAs: PEOPLE.ana });
    assert.equal(await ana.team.count(), 0);
  });
});
