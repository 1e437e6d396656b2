import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { silentLogger } from '../../src/domain/logger.ts';
import { LinkedRequests } from '../../src/extension/approvals/linked-request.ts';
import { uriHandler } from '../../src/extension/authentication/uri-handler.ts';
import type { AccessData } from '../../src/extension/access-view/access-data.ts';
import type { ConnectionState } from '../../src/extension/connection/connection.ts';
import { EXTENSION_ID } from '../../src/extension/product.ts';
import { ControlPlaneError } from '../../src/protocol/client.ts';
import type { RequestView } from '../../src/protocol/schemas.ts';
import { fakeControlPlane } from '../unit/extension/control-plane.ts';
import { aMe, aRequest, LENA } from '../unit/extension/views.ts';
import { PersonAtWindow } from './person.ts';

const ID = '5c1f9b52-6f0e-4a3b-9d7c-0a1b2c3d4e5f';
const NONCE = 'n'.repeat(43);
const LINK = `${vscode.env.uriScheme}://${EXTENSION_ID}/request/${ID}?nonce=${NONCE}`;

/** A window with somebody signed in, or not; what was asked of the control plane and shown stays. */
function windowOf(kind: ConnectionState['kind'], answer: () => RequestView) {
  const asked: unknown[] = [];
  const shown: string[] = [];
  const request = aRequest({ id: ID });
  const data: AccessData = {
    me: aMe({ ...LENA, teams: [] }),
    roles: [],
    requests: [],
    grants: [],
    toApprove: [request],
    toReview: [],
  };
  const { client } = fakeControlPlane({
    openLink: (input) => {
      asked.push([input.params, input.body]);
      return answer();
    },
  });
  const linked = new LinkedRequests({
    connection: { state: { kind } as ConnectionState, onDidChange: () => ({ dispose: () => undefined }) },
    client: () => client,
    model: { data, reload: () => Promise.resolve() },
    reveal: (id) => {
      shown.push(id);
      return Promise.resolve();
    },
  });
  const callbacks = { handle: () => Promise.resolve('unknown') };
  const handler = uriHandler(callbacks as never, linked, silentLogger);
  return { asked, shown, open: (link: string) => handler.handleUri(vscode.Uri.parse(link, true)) };
}

describe('a link of a notice', () => {
  it('shows the request to whoever is signed in, and asks for nothing else', async () => {
    using lena = new PersonAtWindow();
    const window = windowOf('signedIn', () => aRequest({ id: ID }));
    await window.open(LINK);
    assert.deepEqual(window.asked, [[{ id: ID }, { nonce: NONCE }]]);
    assert.deepEqual(window.shown, [ID]);
    assert.deepEqual(lena.told, []);
  });

  it('says in one sentence that it was used or is too old, and that it is not whole', async () => {
    using lena = new PersonAtWindow();
    const sentence = 'You opened this link before, or it is too old. What waits for you is under Approvals.';
    const window = windowOf('signedIn', () => {
      throw new ControlPlaneError({
        type: 'urn:oam:problem:link_spent',
        title: 'Link spent',
        status: 410,
        code: 'link_spent',
        detail: sentence,
      });
    });
    await window.open(LINK);
    await window.open(`${LINK}x`);
    assert.deepEqual(lena.told, [sentence, 'This link is not whole. What waits for you is under Approvals.']);
    assert.deepEqual([window.asked.length, window.shown], [1, []]);
  });

  it('does nothing for somebody who does not sign in', async () => {
    using somebody = new PersonAtWindow();
    const window = windowOf('signedOut', () => aRequest({ id: ID }));
    await window.open(LINK);
    assert.deepEqual(somebody.told, ['Sign in to see the request that this link names.']);
    assert.deepEqual([window.asked, window.shown], [[], []]);
  });
});
