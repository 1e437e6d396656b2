import assert from 'node:assert/strict';

import { hasCode } from '../../../src/domain/errors.ts';
import { type Session, signInWithLoopback } from '../../../src/identity/index.ts';
import { createHeadlessBrowser, type Page } from '../../../src/sandbox/identity-provider/headless-browser.ts';
import { logIn } from '../../../src/sandbox/identity-provider/headless-sign-in.ts';
import { PEOPLE, startIdentityProvider } from '../../../src/sandbox/identity-provider/index.ts';
import { type CrookedProvider, sendJson, startCrookedProvider } from './crooked-provider.ts';
import { discover } from './sign-in.ts';

const ANA = { subject: PEOPLE.ana.sub, userName: PEOPLE.ana.userName };

describe('signing in again, because the provider renews no ID token', () => {
  let provider: CrookedProvider;
  beforeEach(async () => {
    provider = await startCrookedProvider();
  });
  afterEach(() => provider.close());

  /** Answers each page as the provider would, and says which prompts it was asked with. */
  async function signInAgain(
    answers: readonly Readonly<Record<string, string>>[],
  ): Promise<{ session: Session; prompts: (string | null)[]; hints: (string | null)[]; opened: number }> {
    const prompts: (string | null)[] = [];
    const hints: (string | null)[] = [];
    let opened = 0;
    const visit = async (url: string): Promise<void> => {
      const asked = new URL(url).searchParams;
      prompts.push(asked.get('prompt'));
      hints.push(asked.get('login_hint'));
      provider.nonce = asked.get('nonce') ?? '';
      const back = new URL(asked.get('redirect_uri') ?? '');
      back.searchParams.set('state', asked.get('state') ?? '');
      for (const [name, value] of Object.entries(answers[prompts.length - 1] ?? {})) {
        back.searchParams.set(name, value);
      }
      const answer = await fetch(back, { redirect: 'manual' });
      const next = answer.headers.get('location');
      if (next !== null) await visit(next);
    };
    const session = await signInWithLoopback(await discover(provider), {
      again: ANA,
      openBrowser(url) {
        opened += 1;
        void visit(url);
      },
    });
    return { session, prompts, hints, opened };
  }

  it('asks nobody anything where the browser still knows them', async () => {
    const { session, prompts, hints, opened } = await signInAgain([{ code: 'c' }]);
    assert.equal(session.subject, PEOPLE.ana.sub);
    assert.deepEqual([prompts, hints, opened], [['none'], [PEOPLE.ana.userName], 1]);
  });

  for (const error of [
    'login_required',
    'interaction_required',
    'consent_required',
    'account_selection_required',
  ]) {
    it(`asks in the same page where the provider cannot go on by itself: ${error}`, async () => {
      const { session, prompts, opened } = await signInAgain([{ error }, { code: 'c' }]);
      assert.equal(session.subject, PEOPLE.ana.sub);
      assert.deepEqual([prompts, opened], [['none', null], 1]);
    });
  }

  it('asks where the browser knows somebody else: nobody is changed without a word', async () => {
    provider.answers((response, tokens) => {
      if (provider.asked() > 1) {
        sendJson(response, tokens);
        return;
      }
      const { id, access } = provider.claims(provider.nonce);
      const lena = { sub: PEOPLE.lena.sub };
      void Promise.all([provider.sign({ ...id, ...lena }), provider.sign({ ...access, ...lena })]).then(
        ([id_token, access_token]) => sendJson(response, { ...tokens, id_token, access_token }),
      );
    });
    const { session, prompts } = await signInAgain([{ code: 'of-lena' }, { code: 'of-ana' }]);
    assert.equal(session.subject, PEOPLE.ana.sub);
    assert.deepEqual(prompts, ['none', null]);
  });

  it('says no, and does not ask again, where the provider refuses', async () => {
    await assert.rejects(signInAgain([{ error: 'access_denied' }]), (error) =>
      hasCode(error, 'sign_in_denied'),
    );
    await assert.rejects(signInAgain([{ error: 'login_required' }, { error: 'login_required' }]), (error) =>
      hasCode(error, 'sign_in_denied'),
    );
  });

  it('goes through the pages of a real provider, in one tab, to a new ID token', async () => {
    const idp = await startIdentityProvider({ idTokenOnRefresh: false });
    try {
      const browser = createHeadlessBrowser();
      const last = Promise.withResolvers<Page>();
      const discovered = await discover(idp);
      const first = await signInWithLoopback(discovered, {
        openBrowser: async (url) => void (await logIn(browser, await browser.open(url), PEOPLE.ana)),
      });
      let opened = 0;
      const again = await signInWithLoopback(discovered, {
        again: first,
        async openBrowser(url) {
          opened += 1;
          // The stand-in wants a yes of everybody, so that it cannot go on by itself.
          const page = await browser.open(url);
          assert.match(page.html, /Continue as Ana Silva/);
          last.resolve(await browser.submit(page, {}, 'do=continue'));
        },
      });
      assert.equal(again.subject, first.subject);
      assert.notEqual(again.idToken, first.idToken);
      assert.equal(opened, 1);
      assert.match((await last.promise).html, /You are signed in/);
    } finally {
      await idp.close();
    }
  });
});
