import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { SEED } from '../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import type { RequestView } from '../../src/protocol/schemas.ts';
import { editors } from './editors.ts';
import { elsewhere } from './elsewhere.ts';
import { picture } from './pictures.ts';

const QUERY_ROLE = 'Query the recsys ranker';
const PROMOTE_ROLE = 'Promote the recsys ranker';
const DEPLOY_ROLE = 'Deploy the recsys endpoints';

const run = promisify(execFile);

describe('asking for what is needed', () => {
  const there = editors();

  it('tells which role gives a level on a model, and what policy says to just that request', async () => {
    const ana = await there().open('ana-needs', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.search('prod.recsys.ranker');
    const model = await ana.line('ml-prod', 'What you can see now', 'Models', 'prod.recsys.ranker');
    await ana.workbench.press(model, 'What Would Give Me This?');
    const input = ana.workbench.quickInput();
    await input.row(/MANAGE.*Promote the recsys ranker/).waitFor();
    await input.row(/EXECUTE.*Promote the recsys ranker/).click();
    await ana.workbench.answer('What do you need it for?', 'Compare it with the candidate');
    await ana.workbench.pick('It ends by itself', '2 hours');
    await input.root.getByPlaceholder(/This needs the approval of ml-recsys-leads/).waitFor();
    // Back, to the times and to the purpose that was given.
    await input.root.getByRole('button', { name: 'Back' }).click();
    await input.root.getByPlaceholder('For how long?').waitFor();
    await input.root.getByRole('button', { name: 'Back' }).click();
    await input.root.getByText('What do you need it for?').waitFor();
    assert.equal(await input.input.inputValue(), 'Compare it with the candidate');
    await input.input.press('Enter');
    await ana.workbench.pick('It ends by itself', '2 hours');
    await input.row('Send Request').click();
    await ana.page.locator('.part.sidebar').getByRole('button', { name: 'Clear Search' }).click();
    await ana.line('ml-prod', 'Waiting for approval', PROMOTE_ROLE);

    // The next time both are there, and the purpose can be chosen.
    const request = await ana.line('ml-prod', 'Waiting for approval', /Promote the recsys ranker.*waits for/);
    await ana.workbench.press(request, 'Cancel Request');
    await request.waitFor({ state: 'detached' });
    const role = await ana.line('ml-prod', 'Roles you can ask for', PROMOTE_ROLE);
    await ana.workbench.press(role, 'Request Access');
    await input.root.getByText('What do you need it for?').waitFor();
    assert.equal(await input.input.inputValue(), 'Compare it with the candidate');
    await input.root.getByRole('button', { name: 'Choose a purpose' }).click();
    await ana.workbench.pick('Choose a purpose', 'Compare it with the candidate');
    await ana.workbench.answer('What do you need it for?', 'Another purpose');
    await input.row(/2 hours.*as the last time/).waitFor();
    await input.input.press('Escape');
  });

  it('offers the smallest role where a terminal is refused, filled in, and not again once it is on its way', async () => {
    const ana = await there().open('ana-refused', { signedInAs: PEOPLE.ana });
    await ana.useInFolder('ml-prod');
    const terminal = await ana.workbench.openTerminal();
    await terminal.runAlone('python score.py');
    await terminal.waitForText(/PERMISSION_DENIED/);
    const offer = await ana.workbench.noticed(`“${QUERY_ROLE}” would allow it. Policy grants this at once.`);
    await offer.getByRole('button', { name: 'Request Access' }).click();
    const input = ana.workbench.quickInput();
    await input.root.getByText('What do you need it for?').waitFor();
    assert.equal(await input.input.inputValue(), 'Run python score.py, which needs recsys-ranker-prod');
    await input.input.press('Enter');
    await input.root.getByPlaceholder('For how long?').waitFor();
    await input.input.press('Enter');
    await input.row('Send Request').click();
    await ana.line('ml-prod', 'Granted for a time', new RegExp(`${QUERY_ROLE}.*left`));
    assert.equal(there().stage.databricks.members(SEED.jitGroups.endpointQuery.id).length, 1);
    await ana.workbench.clearNotifications();
    await terminal.runAlone(`echo "PERMISSION_DENIED: no Query on 'recsys-ranker-prod'"`);
    await terminal.waitForText(/^PERMISSION_DENIED/m);
    await terminal.runAlone('python score.py');
    await terminal.waitForText(/The ranker answers/);
    assert.equal(await ana.workbench.notification('would allow it').count(), 0);
  });

  it('sends along where the code stands, as the person sees it, unless they leave it out', async () => {
    const ana = await there().open('ana-code', {
      signedInAs: PEOPLE.ana,
      prepare: async (project) => {
        for (const line of [
          ['init', '--initial-branch', 'release/17'],
          ['remote', 'add', 'origin', 'https://ana:t0ken@github.com/example/next-shelf.git'],
          ['-c', 'user.name=Ana', '-c', 'user.email=ana@example.com', 'commit', '--allow-empty', '-m', 'x'],
        ]) {
          await run('git', line, { cwd: project });
        }
      },
    });
    await ana.workbench.widenSideBar(420);
    const input = ana.workbench.quickInput();
    const askUntilLastLook = async (purpose: string): Promise<void> => {
      const role = await ana.line('ml-prod', 'Roles you can ask for', DEPLOY_ROLE);
      await ana.workbench.press(role, 'Request Access');
      await ana.workbench.answer('What do you need it for?', purpose);
      await ana.workbench.pick('It ends by itself', '30 minutes');
      await input.row('Send Request').waitFor();
    };
    const sent = async (purpose: string): Promise<RequestView> => {
      const client = elsewhere(there().stage, PEOPLE.ana);
      const { items } = await client.call('listRequests', { query: { scope: 'mine' } });
      return items.find((request) => request.purpose === purpose) ?? assert.fail(`Not sent: ${purpose}`);
    };
    await askUntilLastLook('Roll back');
    await input
      .row(/Branch: release\/17, Commit: [0-9a-f]{10}, https:\/\/github\.com\/example\/next-shelf/)
      .waitFor();
    await picture(ana, 'request-last-look');
    await input.row('Send Request').click();
    const waiting = await ana.line(
      'ml-prod',
      'Waiting for approval',
      /Deploy the recsys endpoints.*waits for/,
    );
    const first = await sent('Roll back');
    assert.deepEqual(
      [first.codeContext?.repository, first.codeContext?.branch],
      ['https://github.com/example/next-shelf', 'release/17'],
    );
    assert.match(first.codeContext?.commit ?? '', /^[0-9a-f]{40}$/);
    await ana.workbench.press(waiting, 'Cancel Request');
    await waiting.waitFor({ state: 'detached' });

    await askUntilLastLook('Roll back in silence');
    await input.row('Leave Out the Code').click();
    await input.row('Send the Code Along').waitFor();
    await input.row('Send Request').click();
    const silent = await ana.line(
      'ml-prod',
      'Waiting for approval',
      /Deploy the recsys endpoints.*waits for/,
    );
    assert.equal((await sent('Roll back in silence')).codeContext, null);
    await ana.workbench.press(silent, 'Cancel Request');
    await silent.waitFor({ state: 'detached' });
  });

  it('offers it where a cell of a notebook is refused', async () => {
    const ana = await there().open('ana-notebook', { signedInAs: PEOPLE.ana });
    // Nothing is held from the test before.
    const held = ana.workbench.row(ana.access, new RegExp(`${QUERY_ROLE}.*left`)).first();
    await ana.workbench.press(held, 'Return Access');
    await ana.workbench.dialog('Give back').getByRole('button', { name: 'Return Access' }).click();
    await ana.gone(QUERY_ROLE);
    await ana.useInFolder('ml-prod');
    await ana.workbench.runAllCells();
    const offer = await ana.workbench.noticed(`“${QUERY_ROLE}” would allow it.`);
    await offer.getByRole('button', { name: 'Request Access' }).click();
    const input = ana.workbench.quickInput();
    await input.root.getByText('What do you need it for?').waitFor();
    assert.match(
      await input.input.inputValue(),
      /^Run notebook\.ipynb, which needs recsys-ranker-prod|Run python/,
    );
    await input.input.press('Escape');
  });
});
