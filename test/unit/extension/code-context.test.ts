import assert from 'node:assert/strict';

import fc from 'fast-check';

import { codeLink } from '../../../src/extension/approvals/code-link.ts';
import { codeContextOf, codeContextWords, webAddress } from '../../../src/extension/requests/code-context.ts';
import { english } from './localise.ts';

const COMMIT = 'abcdef0123456789abcdef0123456789abcdef01';

describe('the code that a request is for', () => {
  it('is named by its address in the web, whatever way the machine takes there', () => {
    for (const [remote, address] of [
      ['https://github.com/example/ranker.git', 'https://github.com/example/ranker'],
      ['git@github.com:example/ranker.git', 'https://github.com/example/ranker'],
      ['ssh://git@gitlab.example.com:2222/ml/ranker.git', 'https://gitlab.example.com/ml/ranker'],
      ['https://git.example.com:8443/ml/ranker/', 'https://git.example.com:8443/ml/ranker'],
      ['http://git.internal/ml/ranker', 'http://git.internal/ml/ranker'],
    ] as const) {
      assert.equal(webAddress(remote), address);
    }
  });

  it('carries nothing that lets somebody in, and nothing of this machine', () => {
    for (const remote of [
      'https://ana:s3cret@github.com/example/ranker.git',
      'https://s3cret@github.com/example/ranker.git',
      'https://oauth2:s3cret@github.com/example/ranker.git?access_token=s3cret#s3cret',
      'ssh://s3cret@github.com/example/ranker.git',
      's3cret@github.com:example/ranker.git',
    ]) {
      assert.equal(webAddress(remote), 'https://github.com/example/ranker');
    }
    for (const remote of [
      '/home/ana/ranker',
      '../ranker',
      'file:///home/ana/ranker',
      'C:\\Users\\ana\\ranker',
      'C:/Users/ana/ranker',
      'ext::sh -c s3cret',
      'https://github.com/',
      `https://github.com/${'x'.repeat(600)}`,
      '',
    ]) {
      assert.equal(webAddress(remote), undefined, remote);
    }
  });

  it('never carries user or password of any address', () => {
    const word = fc.stringMatching(/^[a-z0-9]{12,20}$/);
    fc.assert(
      fc.property(
        word,
        word,
        word,
        fc.constantFrom('https', 'http', 'ssh'),
        (user, password, key, scheme) => {
          const address = webAddress(
            `${scheme}://${user}:${password}@git.example.com/ml/ranker.git?key=${key}`,
          );
          assert.equal(address, `${scheme === 'http' ? 'http' : 'https'}://git.example.com/ml/ranker`);
        },
      ),
    );
  });

  it('is the branch as others know it, the commit, and the remote that the branch follows', () => {
    const remotes = [
      { name: 'origin', fetchUrl: 'git@github.com:ana/ranker.git' },
      { name: 'company', fetchUrl: 'https://x:y@github.com/example/ranker.git' },
    ];
    const head = { name: 'mine', commit: COMMIT, upstream: { remote: 'company', name: 'release/17' } };
    const context = codeContextOf({ head, remotes });
    assert.deepEqual(context, {
      repository: 'https://github.com/example/ranker',
      branch: 'release/17',
      commit: COMMIT,
    });
    assert.equal(codeLink(context ?? {})?.url, 'https://github.com/example/ranker/compare/HEAD...release/17');
    assert.equal(
      codeContextWords(english, context ?? {}),
      'Branch: release/17, Commit: abcdef0123, https://github.com/example/ranker',
    );
    assert.deepEqual(codeContextOf({ head: { name: 'mine', commit: COMMIT }, remotes }), {
      repository: 'https://github.com/ana/ranker',
      branch: 'mine',
      commit: COMMIT,
    });
  });

  it('is left out as far as there is none', () => {
    assert.equal(codeContextOf({ head: undefined, remotes: [] }), undefined);
    assert.deepEqual(codeContextOf({ head: { name: 'main', commit: undefined }, remotes: [] }), {
      branch: 'main',
    });
    // Which of two unknown remotes is meant cannot be told.
    const remotes = [
      { name: 'a', fetchUrl: 'git@github.com:a/a.git' },
      { name: 'b', fetchUrl: 'git@github.com:b/b.git' },
    ];
    assert.deepEqual(codeContextOf({ head: { commit: COMMIT }, remotes }), { commit: COMMIT });
    assert.equal(codeContextOf({ head: { commit: 'x; rm', name: 'x'.repeat(501) }, remotes: [] }), undefined);
  });
});
