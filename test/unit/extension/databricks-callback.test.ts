import assert from 'node:assert/strict';

import { hasCode } from '../../../src/domain/errors.ts';
import {
  databricksCallback,
  type DatabricksCallbackParts,
  listenForDatabricks,
} from '../../../src/extension/authentication/databricks-callback.ts';

const CLI = 'databricks-cli';

describe('how the answer of Databricks comes back to the editor', () => {
  it('is by a port of the machine, of the browser’s machine, or by hand, as VS Code runs', () => {
    assert.equal(databricksCallback({ ui: 'desktop', remoteName: undefined }, 'auto'), 'loopback');
    assert.equal(databricksCallback({ ui: 'desktop', remoteName: 'ssh-remote' }, 'auto'), 'forwarded');
    assert.equal(databricksCallback({ ui: 'desktop', remoteName: 'wsl' }, 'uriHandler'), 'forwarded');
    assert.equal(databricksCallback({ ui: 'web', remoteName: undefined }, 'auto'), 'pasted');
    assert.equal(databricksCallback({ ui: 'web', remoteName: undefined }, 'deviceCode'), 'pasted');
    assert.equal(databricksCallback({ ui: 'web', remoteName: 'server' }, 'loopback'), 'loopback');
  });

  const parts = (o: Partial<DatabricksCallbackParts>): DatabricksCallbackParts => ({
    externalAddress: () => assert.fail('The port was not to be forwarded.'),
    paste: () => assert.fail('Nothing was to be pasted.'),
    ...o,
  });

  it('is taken from the port that the browser’s machine forwards, by its number there', async () => {
    let own = '';
    const callback = await listenForDatabricks('forwarded', CLI, 's', {
      ...parts({}),
      externalAddress(address) {
        own = address;
        return Promise.resolve('http://127.0.0.1:8033/');
      },
    });
    try {
      assert.equal(callback.redirectUri, 'http://localhost:8033');
      // As the tunnel brings it: to this machine's port, under the name of the other one's.
      const { request } = await import('node:http');
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const target = new URL('/?state=s&code=c', own.replace('localhost', '127.0.0.1'));
        request(target, { headers: { host: 'localhost:8033' } }, ({ statusCode }) => resolve(statusCode))
          .on('error', reject)
          .end();
        void callback.answer.then(() => callback.close('failed'));
      });
      assert.equal(status, 400, 'the page tells how the sign-in ended');
      assert.equal((await callback.answer).searchParams.get('code'), 'c');
    } finally {
      await callback.close('failed').catch(() => undefined);
    }
  });

  for (const external of [
    'https://host.example/proxy/8020/',
    'http://host.example:8020/',
    'http://localhost:9999/',
    'nonsense',
  ]) {
    it(`is pasted where the port cannot be reached by the browser as it is registered: ${external}`, async () => {
      let offered: ((text: string) => boolean) | undefined;
      const callback = await listenForDatabricks(
        'forwarded',
        CLI,
        'the-state',
        parts({
          externalAddress: () => Promise.resolve(external),
          paste(isAnswer) {
            offered = isAnswer;
            return Promise.resolve(' http://localhost:8020/?code=c&state=the-state ');
          },
        }),
      );
      assert.equal(callback.redirectUri, 'http://localhost:8020');
      assert.equal((await callback.answer).searchParams.get('code'), 'c');
      for (const wrong of [
        'http://localhost:8020/?code=c&state=other',
        'http://localhost:8021/?code=c&state=the-state',
        'https://evil.example/?code=c&state=the-state',
        'c',
        '',
      ]) {
        assert.equal(offered?.(wrong), false, wrong);
      }
    });
  }

  it('is none where the person leaves, or pastes what is none', async () => {
    for (const text of [undefined, 'http://localhost:8020/?code=c&state=stolen']) {
      const callback = await listenForDatabricks(
        'pasted',
        CLI,
        's',
        parts({ paste: () => Promise.resolve(text) }),
      );
      await assert.rejects(callback.answer, (error) => hasCode(error, 'databricks_sign_in_denied'));
    }
  });

  it('closes the box when the sign-in is called off', async () => {
    const closed = Promise.withResolvers<void>();
    const callback = await listenForDatabricks(
      'pasted',
      CLI,
      's',
      parts({
        paste: (_, signal) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => {
              closed.resolve();
              resolve(undefined);
            });
          }),
      }),
    );
    callback.answer.catch(() => undefined);
    await callback.close('failed');
    await closed.promise;
  });
});
