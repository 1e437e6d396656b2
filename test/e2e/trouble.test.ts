import assert from 'node:assert/strict';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { editors } from './editors.ts';

describe('trouble, as the editor tells it', () => {
  const there = editors();

  it('says that the identity provider is down, and signs in once it is back', async () => {
    const { stage } = there();
    const ana = await there().open('ana-idp-down');
    stage.identityProvider.pause();
    try {
      await ana.access.getByRole('button', { name: 'Sign In' }).click();
      await ana.workbench.notification(/identity provider/i).waitFor();
    } finally {
      stage.identityProvider.resume();
    }
    await ana.workbench.clearNotifications();
    await ana.signIn(PEOPLE.ana);
    await ana.line('ml-prod');
  });

  it('leaves somebody who cancels the sign-in where they were, without a word', async () => {
    const ana = await there().open('ana-cancels');
    await ana.access.getByRole('button', { name: 'Sign In' }).click();
    const dialog = ana.workbench.dialog('Your sign-in code is');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await ana.access.locator('a.monaco-button:not(.disabled)').filter({ hasText: 'Sign In' }).waitFor();
    await ana.workbench.notification('Signing in').waitFor({ state: 'detached' });
    assert.equal(await ana.workbench.notification(/./).count(), 0);
  });

  it('says that the control plane is down, keeps the session, and goes on when it is back', async () => {
    const { stage } = there();
    const ana = await there().open('ana-server-down', { signedInAs: PEOPLE.ana });
    await stage.controlPlane.kill();
    try {
      await ana.workbench.command('Databricks ML OAM: Refresh');
      await ana.workbench.notification(/could not be reached/).waitFor();
      await ana.access.getByText(/Not up to date/).waitFor();
    } finally {
      await stage.controlPlane.restart();
    }
    await ana.workbench.clearNotifications();
    await ana.workbench.command('Databricks ML OAM: Refresh');
    await ana.line('ml-prod', 'Roles you can ask for', 'Query the recsys ranker');
    await ana.access.getByText(/Not up to date/).waitFor({ state: 'hidden' });
    await ana.access.getByText('ana.silva@example.com').waitFor();
  });
});
