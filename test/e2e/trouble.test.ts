import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { OamWindow } from '../../demo/tour/oamWindow.ts';
import { SEED } from '../../src/sandbox/databricks/index.ts';
import { PEOPLE, startIdentityProvider } from '../../src/sandbox/identity-provider/index.ts';
import { editors } from './editors.ts';
import { pictures } from './pictures.ts';

const QUERY_ROLE = 'Query the recsys ranker';
const PROMOTE_ROLE = 'Promote the recsys ranker';

describe('trouble, as the editor tells it', () => {
  // Renewed halfway, so that nobody waits long for a session that cannot be renewed.
  const there = editors({ accessTokenSeconds: 12 });

  /** A window that has been told of another control plane. */
  const openAt = (name: string, controlPlaneUrl: string): Promise<OamWindow> =>
    there().open(name, {
      trusted: false,
      settings: { 'databricksMlOam.controlPlaneUrl': controlPlaneUrl },
    });

  const clickSignIn = (window: OamWindow): Promise<void> =>
    window.access.getByRole('button', { name: 'Sign In' }).click();

  /** As before the sign-in: nobody is in, and it can be tried again. */
  const assertSignedOut = async (window: OamWindow): Promise<void> => {
    await window.access.locator('a.monaco-button:not(.disabled)').filter({ hasText: 'Sign In' }).waitFor();
    assert.equal(await window.workbench.row(window.access, 'ml-prod').count(), 0);
  };

  it('says that the identity provider is down, and signs in once it is back', async () => {
    const { stage } = there();
    const ana = await there().open('ana-idp-down', { trusted: false });
    stage.identityProvider.pause();
    try {
      await clickSignIn(ana);
      await ana.workbench.notification(/identity provider cannot be reached.*try again/i).waitFor();
      await assertSignedOut(ana);
    } finally {
      stage.identityProvider.resume();
    }
    await ana.workbench.clearNotifications();
    await ana.signIn(PEOPLE.ana);
    await ana.line('ml-prod');
  });

  it('says that another identity provider answers than OAM is configured for, and sends nobody there', async () => {
    const { stage } = there();
    // The same provider by another name: its metadata say who it is.
    const issuer = stage.identityProvider.issuer.replace('127.0.0.1', 'localhost');
    const wrong = await stage.anotherControlPlane('wrong-issuer', { issuer });
    const ana = await openAt('ana-issuer', wrong.url);
    await clickSignIn(ana);
    await ana.workbench
      .notification(/not the identity provider that OAM is configured for.*Ask the administrator/)
      .waitFor();
    assert.equal(ana.context.pages().length, 1);
    await assertSignedOut(ana);
  });

  it('lets nobody in with a token for another audience, and says who can mend it', async () => {
    const identityProvider = await startIdentityProvider({
      accessTokenAudience: 'https://elsewhere.example',
    });
    try {
      const wrong = await there().stage.anotherControlPlane('wrong-audience', {
        issuer: identityProvider.issuer,
      });
      const ana = await openAt('ana-audience', wrong.url);
      await ana.signIn(PEOPLE.ana);
      await ana.workbench.notification(/audience.*[Aa]sk/).waitFor();
      await assertSignedOut(ana);
    } finally {
      await identityProvider.close();
    }
  });

  it('says that the address of the control plane cannot be one, and where to correct it', async () => {
    const ana = await openAt('ana-address', 'http://oam.example.com');
    await ana.access.getByText('The control plane address must begin with https://.').waitFor();
    await ana.workbench.widenSideBar(480);
    await pictures(ana, 'my-access-wrong-address');
    await ana.access.getByRole('button', { name: 'Correct It in the Settings' }).click();
    await ana.page.getByText('1 Setting Found').first().waitFor();
  });

  it('leaves somebody who cancels the sign-in where they were, without a word', async () => {
    const ana = await there().open('ana-cancels', { trusted: false });
    await clickSignIn(ana);
    const dialog = ana.workbench.dialog('Your sign-in code is');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await assertSignedOut(ana);
    await ana.workbench.notification('Signing in').waitFor({ state: 'detached' });
    assert.equal(await ana.workbench.notification(/./).count(), 0);
  });

  it('says that the session has ended, and goes on after a new sign-in where it stood', async () => {
    const { stage } = there();
    const ana = await there().open('ana-expired', { trusted: false, signedInAs: PEOPLE.ana });
    await ana.request(PROMOTE_ROLE, 'Ship the ranker that won the A/B test', 30);
    await ana.line('ml-prod', 'Waiting for approval', PROMOTE_ROLE);
    await stage.identityProvider.revokeSessions(PEOPLE.ana.sub);
    await ana.access.getByText('Your session has ended. Sign in again to go on.').waitFor();
    await assertSignedOut(ana);
    await ana.workbench.widenSideBar(480);
    await pictures(ana, 'my-access-session-ended');
    await ana.signIn(PEOPLE.ana);
    const request = await ana.line(
      'ml-prod',
      'Waiting for approval',
      new RegExp(`${PROMOTE_ROLE}.*waits for`),
    );
    await ana.workbench.press(request, 'Cancel Request');
    await request.waitFor({ state: 'detached' });
  });

  it('says that the control plane is down, keeps the session, and goes on when it is back', async () => {
    const { stage } = there();
    const ana = await there().open('ana-server-down', { trusted: false, signedInAs: PEOPLE.ana });
    await stage.controlPlane.kill();
    try {
      await ana.workbench.command('Databricks ML OAM: Refresh');
      await ana.workbench.notification(/could not be reached/).waitFor();
      await ana.access.getByText(/Not up to date/).waitFor();
      await ana.page.reload();
      await ana.showSideBar();
      await ana.access.getByText('Your access could not be read.').waitFor();
    } finally {
      await stage.controlPlane.restart();
    }
    await ana.access.getByRole('button', { name: 'Try Again' }).click();
    await ana.line('ml-prod', 'Roles you can ask for', QUERY_ROLE);
    await ana.page
      .getByLabel(/Signed in as ana\.silva@example\.com/)
      .first()
      .waitFor();
  });

  it('says that a role is there no more when it went while it was asked for, and grants nothing', async () => {
    const { stage } = there();
    const file = join(stage.policyFolder, 'catalogue.yaml');
    const catalogue = await readFile(file, 'utf8');
    const ana = await there().open('ana-unknown-role', { trusted: false, signedInAs: PEOPLE.ana });
    try {
      await ana.request(QUERY_ROLE, 'Compare the ranker with the new training run', 30, {
        onLastLook: async () => {
          await writeFile(file, catalogue.replace('id: recsys-endpoint-query', 'id: recsys-endpoint-asked'));
          await stage.controlPlane.kill();
          await stage.controlPlane.restart();
        },
      });
      await ana.workbench.notification(/There is no such role for you\. Choose one from the list/).waitFor();
      assert.equal(await ana.workbench.row(ana.access, 'Granted for a time').count(), 0);
      assert.deepEqual(stage.databricks.members(SEED.jitGroups.endpointQuery.id), []);
    } finally {
      await writeFile(file, catalogue);
      await stage.controlPlane.kill();
      await stage.controlPlane.restart();
    }
  });
});
