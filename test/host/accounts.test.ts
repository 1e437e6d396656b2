import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { silentLogger } from '../../src/domain/logger.ts';
import { OamAuthenticationProvider } from '../../src/extension/authentication/provider.ts';
import { SignIn } from '../../src/extension/authentication/sign-in.ts';
import { EXTENSION } from '../../src/extension/product.ts';
import { PEOPLE, type Person } from '../../src/sandbox/identity-provider/index.ts';
import { ownConnection } from './own-connection.ts';
import { atLogin, PersonAtWindow, type SignInPage } from './person.ts';
import { watchStatusBar } from './status-bar.ts';
import { until } from './until.ts';

const SWITCH = 'databricksMlOam.switchAccount';
const OTHER = '$(add) Sign in with another account';

/** Signs in, and keeps the addresses of the pages that were opened for it. */
function keeping(pages: URL[]): SignInPage {
  return async (browser, url, person) => {
    pages.push(new URL(url));
    await atLogin(browser, url, person);
  };
}

const accounts = async (): Promise<string[]> =>
  (await vscode.authentication.getAccounts(EXTENSION)).map(({ label }) => label).sort();

describe('several accounts', () => {
  it('are switched between by the menu: a new one signs in, a known one acts at once, and both stay', async () => {
    const pages: URL[] = [];
    using status = watchStatusBar('databricksMlOam.status');
    const acts = (person: Person): Promise<boolean> =>
      until(`${person.userName} acts`, () => status.spoken?.includes(`Signed in as ${person.userName}`));
    const both = [PEOPLE.ana.userName, PEOPLE.lena.userName];
    try {
      using ana = new PersonAtWindow().signsInAs(PEOPLE.ana, keeping(pages));
      await vscode.commands.executeCommand('databricksMlOam.signIn');
      await ana.browsed();
      await acts(PEOPLE.ana);
      {
        using lena = new PersonAtWindow().signsInAs(PEOPLE.lena, keeping(pages)).pick(OTHER);
        await vscode.commands.executeCommand(SWITCH);
        await lena.browsed();
        await acts(PEOPLE.lena);
        // A browser that is signed in as somebody would go on as them.
        assert.match(pages.at(-1)?.searchParams.get('prompt') ?? '', /^(select_account|login)$/);
        assert.deepEqual(await accounts(), both);
      }
      const opened = pages.length;
      {
        using back = new PersonAtWindow().pick(PEOPLE.ana.userName);
        await vscode.commands.executeCommand(SWITCH);
        await acts(PEOPLE.ana);
        assert.deepEqual(await accounts(), both);
        assert.equal(pages.length, opened, 'no sign-in');
        assert.deepEqual(
          back.told.filter((text) => /fail|error/i.test(text)),
          [],
        );
      }
      {
        using undecided = new PersonAtWindow();
        await vscode.commands.executeCommand(SWITCH);
        assert.deepEqual(undecided.told, []);
        await acts(PEOPLE.ana);
      }
    } finally {
      await vscode.commands.executeCommand('databricksMlOam.signOut');
      using lena = new PersonAtWindow().pick(PEOPLE.lena.userName);
      await vscode.commands.executeCommand(SWITCH);
      await vscode.commands.executeCommand('databricksMlOam.signOut');
      await lena.browsed();
    }
    assert.deepEqual(await accounts(), []);
  });

  it('are added and asked for by other extensions, each by itself, and nobody else acts for it', async () => {
    using own = await ownConnection();
    const pages: URL[] = [];
    using person = new PersonAtWindow().signsInAs(PEOPLE.omar, keeping(pages));
    const { connection } = own;
    const signIn = new SignIn({
      connection,
      uriCallbacks: { listen: () => assert.fail('loopback was wanted') },
      acted: () => undefined,
      wantedFlow: () => 'loopback',
      clock: { nowMs: () => Date.now() },
      logger: silentLogger,
    });
    const provider = new OamAuthenticationProvider({
      connection,
      addAccount: (userName) =>
        signIn.run({ seat: 'isAdded', who: userName === undefined ? undefined : { userName } }),
    });
    const events: string[] = [];
    provider.onDidChangeSessions(({ added, removed, changed }) => {
      const named = (sign: string, sessions: readonly vscode.AuthenticationSession[] | undefined): void => {
        for (const { account } of sessions ?? []) events.push(sign + account.label);
      };
      named('+', added);
      named('-', removed);
      named('~', changed);
    });
    const labels = async (account?: vscode.AuthenticationSessionAccountInformation): Promise<string[]> =>
      (await provider.getSessions(undefined, account && { account })).map((session) => session.account.label);

    // Nobody acts yet, so the first one does.
    const omar = await provider.createSession(['openid']);
    await person.browsed();
    assert.equal(omar.account.label, PEOPLE.omar.userName);

    person.signsInAs(PEOPLE.lena, keeping(pages));
    const wanted = { id: 'unknown to us', label: PEOPLE.lena.userName };
    const lena = await provider.createSession([], { account: wanted });
    await person.browsed();
    assert.equal(lena.account.label, PEOPLE.lena.userName);
    assert.equal(pages.at(-1)?.searchParams.get('login_hint'), PEOPLE.lena.userName);
    assert(connection.state.kind === 'signedIn');
    assert.equal(connection.state.session.userName, PEOPLE.omar.userName);

    const sent = own.sent();
    assert.deepEqual(await labels(), [PEOPLE.omar.userName, PEOPLE.lena.userName]);
    assert.deepEqual(await labels(lena.account), [PEOPLE.lena.userName]);
    assert.deepEqual(await labels(omar.account), [PEOPLE.omar.userName]);
    assert.deepEqual(await labels(wanted), []);
    assert.equal(own.sent(), sent, 'without the network');
    assert.notEqual(lena.accessToken, omar.accessToken);

    await provider.removeSession(lena.id);
    assert.deepEqual(await labels(), [PEOPLE.omar.userName]);
    await provider.removeSession(omar.id);
    assert.deepEqual(await labels(), []);
    assert.deepEqual(
      events.filter((event) => !event.startsWith('~')),
      [PEOPLE.omar, PEOPLE.lena, PEOPLE.lena, PEOPLE.omar].map(
        ({ userName }, index) => (index < 2 ? '+' : '-') + userName,
      ),
    );
    provider.dispose();
  });

  it('that somebody calls off is none: the request of the other extension ends as cancelled', async () => {
    using own = await ownConnection();
    const provider = new OamAuthenticationProvider({
      connection: own.connection,
      addAccount: () => Promise.reject(new vscode.CancellationError()),
    });
    await assert.rejects(provider.createSession([]), vscode.CancellationError);
    assert.deepEqual(await provider.getSessions(), []);
    provider.dispose();
  });
});
