import assert from 'node:assert/strict';

import fc from 'fast-check';

import { silentLogger } from '../../../src/domain/logger.ts';
import type { AccessData } from '../../../src/extension/access-view/access-data.ts';
import { approvalContextValue, requestLines } from '../../../src/extension/approvals/approval-words.ts';
import { codeLink } from '../../../src/extension/approvals/code-link.ts';
import { HandledRequests } from '../../../src/extension/approvals/handled-requests.ts';
import { KnownApprovers } from '../../../src/extension/approvals/known-approvers.ts';
import { faultOfReason } from '../../../src/extension/approvals/reasons.ts';
import { requestDocument } from '../../../src/extension/approvals/request-document.ts';
import { Changes } from '../../../src/extension/changes.ts';
import { forMarkdown, forNotice, quotedMarkdown } from '../../../src/extension/plain-text.ts';
import type { BackgroundView } from '../../../src/protocol/background.ts';
import type { RequestView } from '../../../src/protocol/schemas.ts';
import { fakeControlPlane } from './control-plane.ts';
import { english } from './localise.ts';
import { aGrant, aMe, ANA, aRequest, LENA } from './views.ts';

const NOW = Date.parse('2026-11-23T10:30:05.000Z');
const reader = { l10n: english, locale: 'en-GB', nowMs: NOW };

function aBackground(change: Partial<BackgroundView> = {}): BackgroundView {
  return {
    requester: {
      duty: 'data-scientist',
      team: 'recsys',
      standing: 'member',
      seenAt: '2026-11-23T10:00:00.000Z',
      fresh: true,
    },
    days: 90,
    like: { open: 0, approved: 3, denied: 1, other: 0 },
    grants: [
      {
        id: 'g1',
        roleTitle: 'Promote the ranker',
        purpose: 'promote version 6',
        state: 'ended',
        endReason: 'revoked',
        minutes: 60,
        at: '2026-11-20T10:00:00.000Z',
      },
    ],
    denials: [
      {
        requestId: 'q0',
        roleTitle: 'Promote the ranker',
        at: '2026-11-19T10:00:00.000Z',
        by: LENA,
        reason: 'Not this week',
      },
    ],
    breakGlass: { pending: 1, ok: 2, misuse: 0 },
    ...change,
  };
}

describe('what others wrote', () => {
  it('makes no link in a notification, of a command least of all', () => {
    // The form that VS Code reads in notifications.
    const link = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/i;
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            '[',
            ']',
            '(',
            ')',
            'x',
            ' ',
            '\n',
            '\u0007',
            '\u202e',
            'command:a.b',
            'https://e.x',
          ),
        ),
        (parts) => {
          assert.doesNotMatch(forNotice(parts.join('')), link);
        },
      ),
    );
    assert.equal(forNotice('[Review](command:evil)'), '[Review] (command:evil)');
    assert.equal(forNotice('[Review]\u0007(command:evil)'), '[Review] (command:evil)');
  });

  it('is nothing but text in a document', () => {
    assert.equal(
      forMarkdown('![x](http://e.x) <img> *a* `b`'),
      '\\!\\[x\\]\\(http\\:\\/\\/e\\.x\\) \\<img\\> \\*a\\* \\`b\\`',
    );
    assert.equal(forMarkdown('right\u202eleft'), 'rightleft');
    assert.equal(quotedMarkdown('one\n\n# two'), '> one  \n>  \n> \\# two');
  });
});

describe('who is known to approve', () => {
  it('is so for each person, until it is known to be otherwise', () => {
    const stored = new Map<string, unknown>();
    const known = new KnownApprovers({
      get: (key) => stored.get(key),
      update: (key, value) => Promise.resolve(void stored.set(key, value)),
    });
    assert.equal(known.knows(LENA), false);
    known.learn(LENA, true);
    known.learn(ANA, false);
    assert.deepEqual([known.knows(LENA), known.knows(ANA)], [true, false]);
    known.learn(LENA, false);
    assert.equal(known.knows(LENA), false);
    for (const key of stored.keys()) stored.set(key, { nonsense: true });
    assert.equal(known.knows(LENA), false);
  });
});

describe('the document of a request', () => {
  it('tells who, what, why, how long, what policy says and what was before', () => {
    const text = requestDocument(reader, {
      request: aRequest({
        ticket: 'ML-7',
        because: ['A lead approves.'],
        codeContext: { repository: 'git@github.com:acme/ranker.git', branch: 'fix/loss' },
      }),
      background: aBackground(),
      waitsForReader: true,
    }).replaceAll('\\', '');
    for (const said of [
      '# Ana asks for Promote the ranker',
      'Waits for your approval.',
      'Approve or deny it on its line under “Approvals”.',
      'Data scientist',
      'Member of the team recsys',
      'MANAGE on prod.recsys.ranker.',
      '> promote version 7',
      'Ticket: ML-7, which nobody verified',
      'For 1 hour, from the moment it works',
      'Branch: fix/loss',
      '[Look at the changes on github.com](<https://github.com/acme/ranker/compare/HEAD...fix/loss>)',
      'A lead approves.',
      'Asked for this role in the last 90 days: 3 approved, 1 denied',
      'Took access in an emergency: 2 found right, 0 found misused, 1 not reviewed yet',
      'Promote the ranker for 1 hour, revoked',
      'Promote the ranker, by Lena: Not this week',
    ]) {
      assert(text.includes(said), said);
    }
  });

  it('says that a yes waits for somebody of whom nothing fresh is known, and what could not be read', () => {
    const stale = { ...aBackground().requester, fresh: false };
    const lines = requestLines(reader, aRequest(), aBackground({ requester: stale })).join('\n');
    assert.match(lines, /access waits until they have signed in again/);
    const unread = requestDocument(reader, {
      request: aRequest({ state: 'denied', approvals: [aWord(LENA)] }),
      background: undefined,
      waitsForReader: false,
    }).replaceAll('\\', '');
    assert.match(unread, /Already handled: Promote the ranker for Ana was denied by Lena/);
    assert.match(unread, /could not be read/);
  });
});

function aWord(approver: typeof LENA): RequestView['approvals'][number] {
  return {
    ...{ stage: 0, approver, onBehalfOf: null, verdict: 'denied', comment: 'No' },
    at: '2026-11-23T10:20:00.000Z',
  };
}

describe('the link to the changes of a request', () => {
  it('leads to the branch or the commit on the hosts that are known', () => {
    const url = (repository: string, rest: object = {}): string | undefined =>
      codeLink({ repository, ...rest })?.url;
    assert.equal(
      url('https://github.com/acme/ranker.git', { branch: 'a b' }),
      'https://github.com/acme/ranker/compare/HEAD...a%20b',
    );
    assert.equal(
      url('ssh://git@gitlab.com:22/acme/ml/ranker', { commit: 'abcdef0' }),
      'https://gitlab.com/acme/ml/ranker/-/commit/abcdef0',
    );
    assert.equal(
      url('git@bitbucket.org:acme/ranker', { branch: 'x' }),
      'https://bitbucket.org/acme/ranker/branch/x#diff',
    );
    assert.equal(url('https://github.com/acme/ranker'), 'https://github.com/acme/ranker');
    assert.equal(url('https://user:secret@github.com/acme/ranker'), 'https://github.com/acme/ranker');
  });

  it('is none where the address is strange', () => {
    for (const repository of [
      'https://evil.example/acme/ranker',
      'https://github.com.evil.example/acme/ranker',
      'javascript:alert(1)',
      'command:x.y',
      'file:///etc/passwd',
      'https://github.com:8443/acme/ranker',
      'git@github.com:acme/../../x',
      'git@github.com:acme',
      'x',
      '',
    ]) {
      assert.equal(codeLink({ repository, branch: 'x' }), undefined, repository);
    }
    fc.assert(
      fc.property(fc.string(), fc.string(), (repository, branch) => {
        const link = codeLink({ repository: `https://github.com/${repository}`, branch });
        if (link !== undefined) assert.equal(new URL(link.url).host, 'github.com');
      }),
    );
  });
});

describe('what others settled', () => {
  const data = (toApprove: readonly RequestView[], me = LENA): AccessData => ({
    ...{ me: aMe({ ...me, teams: [{ name: 'recsys', lead: true }] }), roles: [], requests: [] },
    ...{ grants: [], toReview: [], toApprove },
  });

  async function after(request: RequestView, next: AccessData): Promise<readonly RequestView[]> {
    const changes = new Changes<void>();
    const model = { data: data([aRequest()]), onDidChange: changes.on };
    const { client } = fakeControlPlane({ getRequest: () => request });
    using handled = disposable(new HandledRequests({ model, client: () => client, logger: silentLogger }));
    changes.fire();
    model.data = next;
    changes.fire();
    await new Promise((resolve) => setImmediate(resolve));
    return handled.requests;
  }

  const disposable = <T extends { dispose(): void }>(thing: T): T & Disposable =>
    Object.assign(thing, { [Symbol.dispose]: () => thing.dispose() });

  it('is told once it waits no more, and by whom it was settled', async () => {
    const settled = aRequest({
      state: 'denied',
      approvals: [aWord({ ...LENA, sub: 'max', displayName: 'Max' })],
    });
    assert.deepEqual(await after(settled, data([])), [settled]);
  });

  it('is neither what one settled oneself, nor what waits for others, nor what another person saw', async () => {
    assert.deepEqual(await after(aRequest({ state: 'denied', approvals: [aWord(LENA)] }), data([])), []);
    assert.deepEqual(await after(aRequest({ state: 'pending' }), data([])), []);
    assert.deepEqual(await after(aRequest({ state: 'lapsed' }), data([], ANA)), []);
  });
});

describe('lines of the view "Approvals"', () => {
  it('offer what can be done with them', () => {
    assert.equal(
      approvalContextValue({ kind: 'toApprove', request: aRequest() }),
      'toApprove.show.approve.deny',
    );
    assert.equal(approvalContextValue({ kind: 'handled', request: aRequest() }), 'handled.show');
    assert.equal(approvalContextValue({ kind: 'review', grant: aGrant() }), 'reviewed.review.revoke');
    assert.equal(
      approvalContextValue({ kind: 'review', grant: aGrant({ state: 'ended' }) }),
      'reviewed.review',
    );
  });

  it('take a reason that says something, and is not endless', () => {
    assert.equal(faultOfReason(english, 'No'), undefined);
    assert.equal(faultOfReason(english, '  '), 'Give a reason.');
    assert.match(faultOfReason(english, 'x'.repeat(1_001)) ?? '', /Shorten/);
  });
});
