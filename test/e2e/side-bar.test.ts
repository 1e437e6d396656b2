import assert from 'node:assert/strict';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { until } from '../host/until.ts';
import { editors } from './editors.ts';
import { picture, pictures } from './pictures.ts';

const QUERY_ROLE = 'Query the recsys ranker';
const PROMOTE_ROLE = 'Promote the recsys ranker';
const DEPLOY_ROLE = 'Deploy the recsys endpoints';
const NOW_SECTION = 'What you can see now';

describe('the side bar', () => {
  const there = editors();

  it('shows what somebody holds, asked for, may ask for and can do, with where it comes from', async () => {
    const ana = await there().open('ana-normal', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.workbench.widenSideBar(480);
    await ana.request(PROMOTE_ROLE, 'Ship the ranker that won the A/B test', 60);
    await ana.line('ml-prod', 'Waiting for approval', PROMOTE_ROLE);
    await ana.request(QUERY_ROLE, 'Compare the ranker with the new training run', 30);
    await ana.line('ml-prod', 'Granted for a time', /Query the recsys ranker.*everywhere until/);
    await ana.line(
      'ml-prod',
      'Roles you can ask for',
      /Deploy the recsys endpoints.*needs approval from ml-recsys-leads/,
    );

    // The right of the grant and the standing one, each with its source.
    const endpoint = await ana.line(
      'ml-prod',
      NOW_SECTION,
      'Serving endpoints',
      /recsys-ranker-prod.*CAN_QUERY.*until.*CAN_VIEW.*ml-recsys/,
    );
    assert.match(
      (await endpoint.getAttribute('aria-label')) ?? '',
      /recsys-ranker-prod, CAN_QUERY until .*, CAN_VIEW through ml-recsys/,
    );
    await endpoint.locator('.monaco-decoration-itemBadge, [class*="itemBadge"]').first().waitFor();
    await ana.line('ml-prod', NOW_SECTION, 'Models', /dev\.recsys\.ranker.*EXECUTE through ml-recsys/);
    await pictures(ana, 'my-access-normal');
  });

  it('finds by typing, says what is shown, and shows everything again', async () => {
    const ana = await there().open('ana-search', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.workbench.widenSideBar(480);
    await ana.line('ml-prod', 'Roles you can ask for', DEPLOY_ROLE);
    await ana.search('ranker');
    await ana.line('ml-prod', NOW_SECTION, 'Models', 'prod.recsys.ranker');
    await ana.line('ml-prod', NOW_SECTION, 'Experiments', '/Shared/recsys/ranker-feature-ablation');
    assert.equal(await ana.workbench.row(ana.access, 'Groups').count(), 0);
    assert.equal(await ana.workbench.row(ana.access, DEPLOY_ROLE).count(), 0);
    await picture(ana, 'my-access-search');
    await ana.page.locator('.part.sidebar').getByRole('button', { name: 'Clear Search' }).click();
    await ana.line('ml-prod', 'Roles you can ask for', DEPLOY_ROLE);
  });

  it('copies a name by the keyboard, and opens the thing in Databricks', async () => {
    const ana = await there().open('ana-copies', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.search('prod.recsys.ranker');
    const model = await ana.line('ml-prod', NOW_SECTION, 'Models', 'prod.recsys.ranker');
    await model.click();
    // Which view has the focus is known to VS Code's keys a moment after the click.
    const said = ana.workbench.status('Copied: prod.recsys.ranker');
    await until('the name is copied', async () => {
      await ana.page.keyboard.press('Control+c');
      return said.waitFor({ timeout: 3_000 }).then(
        () => true,
        () => false,
      );
    });
    const copied = String(await ana.page.evaluate('navigator.clipboard.readText()'));
    assert.equal(copied, 'prod.recsys.ranker');

    await model.click({ button: 'right' });
    await ana.page.getByRole('menuitem', { name: 'Open in Databricks' }).hover();
    const opening = ana.page.context().waitForEvent('page');
    await ana.page.keyboard.press('Enter');
    const opened = await opening;
    await opened.waitForURL(/\/explore\/data\/models\/prod\/recsys\/ranker$/, { waitUntil: 'commit' });
    await opened.close();
  });

  it('says while it reads that it does, and what could not be read', async () => {
    const { stage } = there();
    const ana = await there().open('ana-slow', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.workbench.widenSideBar(480);
    stage.databricks.tune({ answerDelayMs: 8_000 });
    try {
      await ana.line('ml-prod', NOW_SECTION, 'Jobs');
      await ana.workbench.row(ana.access, 'Jobs').first().locator('.monaco-tl-twistie').click();
      await ana.access
        .locator('.codicon-tree-item-loading, .monaco-progress-container.active')
        .first()
        .waitFor();
      await pictures(ana, 'my-access-loading');
    } finally {
      stage.databricks.tune({ answerDelayMs: 0 });
    }
    stage.databricks.tune({ failNext: { status: 403, count: 1, path: /clusters\/list/ } });
    await ana.line('ml-prod', NOW_SECTION, 'Compute', 'Not visible to you');
    stage.databricks.tune({ failNext: { status: 400, count: 1, path: /experiments\/search/ } });
    await ana.line('ml-prod', NOW_SECTION, 'Experiments', 'Could not be read');
    await pictures(ana, 'my-access-error');
    // The line does what mends it.
    await ana.workbench.row(ana.access, 'Could not be read').click();
    await ana.line('ml-prod', NOW_SECTION, 'Experiments', '/Shared/recsys/ranker-feature-ablation');
  });

  it('says while it begins that it does', async () => {
    const { controlPlane } = there().stage;
    const ana = await there().open('ana-begins', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.workbench.widenSideBar(480);
    controlPlane.pause();
    try {
      await ana.page.reload();
      await ana.showSideBar();
      await ana.access.getByText('Reading what you hold…').waitFor();
      await picture(ana, 'my-access-starting');
    } finally {
      controlPlane.resume();
    }
    await ana.line('ml-prod', 'Roles you can ask for', QUERY_ROLE);
  });

  it('tells somebody to whom no role is offered whom to ask', async () => {
    const { identityProvider } = there().stage;
    identityProvider.setGroups(PEOPLE.omar.sub, []);
    try {
      const omar = await there().open('omar-empty', { trusted: false, signedInAs: PEOPLE.omar });
      await omar.workbench.widenSideBar(480);
      await omar.access.getByText('no role is offered to you').waitFor();
      await pictures(omar, 'my-access-empty');
    } finally {
      identityProvider.setGroups(PEOPLE.omar.sub, PEOPLE.omar.groups);
    }
  });

  it('welcomes whoever has not set it up, or is signed out', async () => {
    const fresh = await there().open('ana-fresh', {
      trusted: false,
      settings: { 'databricksMlOam.controlPlaneUrl': '' },
    });
    await fresh.workbench.widenSideBar(480);
    await fresh.access.getByRole('button', { name: 'Set Control Plane Address' }).waitFor();
    await pictures(fresh, 'my-access-not-set-up');
    const out = await there().open('ana-out', { trusted: false });
    await out.workbench.widenSideBar(480);
    await out.access.getByRole('button', { name: 'Sign In' }).waitFor();
    await pictures(out, 'my-access-signed-out');
  });

  it('leads a new user through the first steps, with pictures', async () => {
    const ana = await there().open('ana-new', { trusted: false });
    await ana.openWalkthrough();
    const steps = ana.page.locator('.getting-started-step');
    await steps.filter({ hasText: 'Sign in with your company account' }).waitFor();
    assert.equal(await steps.count(), 5);
    const done = (title: string) => steps.filter({ hasText: title }).locator('.complete');
    // What was so before is ticked off as well as what becomes so.
    await done('Say where your control plane is').waitFor({ state: 'attached' });
    assert.equal(await done('Sign in with your company account').count(), 0);
    await ana.signIn(PEOPLE.ana);
    await done('Sign in with your company account').waitFor({ state: 'attached' });
    // A sign-in shows the side bar, which would take the focus from the palette.
    await ana.line('ml-prod');
    await pictures(ana, 'walkthrough');
  });

  it('shows what it knew while the control plane is away, and says so', async () => {
    const { stage } = there();
    const ana = await there().open('ana-offline', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.workbench.widenSideBar(480);
    await ana.line('ml-prod', 'Roles you can ask for', QUERY_ROLE);
    await stage.controlPlane.kill();
    try {
      await ana.access.getByText(/Not up to date/).waitFor();
      await pictures(ana, 'my-access-offline');
      await ana.page.reload();
      await ana.access.waitFor();
      await ana.access.getByText('Your access could not be read.').waitFor();
      await pictures(ana, 'my-access-unreachable');
    } finally {
      await stage.controlPlane.restart();
    }
  });
});
