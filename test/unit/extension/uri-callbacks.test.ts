import assert from 'node:assert/strict';

import { silentLogger } from '../../../src/domain/logger.ts';
import { Changes } from '../../../src/extension/changes.ts';
import { UriCallbacks } from '../../../src/extension/authentication/uri-callbacks.ts';

const REDIRECT = 'vscode://databricks-ml-oam.databricks-ml-oam/callback';
const STATE = 'state-of-the-first-window';
const ANSWER = `${REDIRECT}?code=abc123&state=${STATE}&iss=https%3A%2F%2Fidp.example.com`;

/** The secrets that all windows of a person share. Every window hears of every change. */
function sharedSecrets() {
  const values = new Map<string, string>();
  const changed = new Changes<string>();
  return {
    values,
    changed,
    get: (key: string) => Promise.resolve(values.get(key)),
    store: (key: string, value: string) => {
      values.set(key, value);
      changed.fire(key);
      return Promise.resolve();
    },
    delete: (key: string) => {
      values.delete(key);
      changed.fire(key);
      return Promise.resolve();
    },
  };
}

describe('answers of the browser that come as an address of the editor', () => {
  let nowMs: number;
  let secrets: ReturnType<typeof sharedSecrets>;

  beforeEach(() => {
    nowMs = 1_000_000;
    secrets = sharedSecrets();
  });

  function window(): UriCallbacks {
    const callbacks = new UriCallbacks({
      redirectUri: () => REDIRECT,
      secrets,
      clock: { nowMs: () => nowMs },
      logger: silentLogger,
    });
    secrets.changed.on((key) => void callbacks.secretChanged(key));
    return callbacks;
  }

  it('reach the sign-in that waits for them, and are taken once', async () => {
    const here = window();
    const waiting = await here.listen(STATE);
    assert.equal(waiting.redirectUri, REDIRECT);
    assert.equal(await here.handle(new URL(ANSWER)), 'taken');
    assert.equal((await waiting.answer).searchParams.get('code'), 'abc123');
    assert.equal(await here.handle(new URL(ANSWER)), 'unknown');
    await waiting.close('signed-in');
    assert.equal(secrets.values.size, 0);
  });

  it('reach the window that asked when another one got them', async () => {
    const [asked, got] = [window(), window()];
    const waiting = await asked.listen(STATE);
    assert.equal(await got.handle(new URL(ANSWER)), 'passedOn');
    assert.equal((await waiting.answer).href, new URL(ANSWER).href);
    await waiting.close('signed-in');
    assert.equal(secrets.values.size, 0);
    assert.equal(await got.handle(new URL(ANSWER)), 'unknown');
  });

  it('are passed on once: a second one changes nothing', async () => {
    const [asked, got] = [window(), window()];
    const waiting = await asked.listen(STATE);
    await got.handle(new URL(ANSWER));
    assert.equal(await got.handle(new URL(ANSWER.replace('abc123', 'other'))), 'unknown');
    assert.equal((await waiting.answer).searchParams.get('code'), 'abc123');
  });

  it('reach the very window that asked though nothing can be shared', async () => {
    const broken = (): Promise<never> => Promise.reject(new Error('locked'));
    const here = new UriCallbacks({
      redirectUri: () => REDIRECT,
      secrets: { get: broken, store: broken, delete: broken },
      clock: { nowMs: () => nowMs },
      logger: silentLogger,
    });
    const waiting = await here.listen(STATE);
    assert.equal(await here.handle(new URL(ANSWER)), 'taken');
    await waiting.answer;
    await waiting.close('signed-in');
  });

  it('that nobody waits for have no effect, and nothing is kept of them', async () => {
    const [asked, got] = [window(), window()];
    const waiting = await asked.listen(STATE);
    for (const uri of [
      `${REDIRECT}?code=abc123&state=another-state`,
      `${REDIRECT}?code=abc123`,
      `${REDIRECT}?code=abc123&state=${STATE}&state=${STATE}`,
      ANSWER.replace('/callback', '/elsewhere'),
      `${ANSWER}&x=${'x'.repeat(10_000)}`,
    ]) {
      assert.equal(await got.handle(new URL(uri)), 'unknown', uri.slice(0, 100));
      assert.equal(await asked.handle(new URL(uri)), 'unknown', uri.slice(0, 100));
    }
    assert.equal(secrets.values.size, 1);
    assert(![...secrets.values].flat().some((text) => text.includes(STATE) || text.includes('abc123')));
    await waiting.close('failed');
    assert.equal(secrets.values.size, 0);
  });

  it('that come when the sign-in is long over are not passed on', async () => {
    const [asked, got] = [window(), window()];
    await asked.listen(STATE);
    nowMs += 11 * 60_000;
    assert.equal(await got.handle(new URL(ANSWER)), 'unknown');
  });

  it('are not believed where what the windows share is not a note of ours', async () => {
    const [asked, got] = [window(), window()];
    const waiting = await asked.listen(STATE);
    const [key] = secrets.values.keys();
    await secrets.store(key ?? '', '{"waitsUntilMs":"for ever"}');
    assert.equal(await got.handle(new URL(ANSWER)), 'unknown');
    await secrets.store(key ?? '', '{"answer":17}');
    assert.equal(await asked.handle(new URL(ANSWER)), 'taken');
    await waiting.answer;
  });
});
