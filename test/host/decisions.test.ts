import assert from 'node:assert/strict';

import { silentLogger } from '../../src/domain/logger.ts';
import type { AccessModel } from '../../src/extension/access-view/access-model.ts';
import { decisions } from '../../src/extension/approvals/decisions.ts';
import { ControlPlaneError, type ControlPlaneClient } from '../../src/protocol/client.ts';
import { fakeControlPlane } from '../unit/extension/control-plane.ts';
import { aRequest, LENA } from '../unit/extension/views.ts';
import { PersonAtWindow } from './person.ts';

describe('deciding on a request', () => {
  it('begins a second try with the request as somebody else left it, and reads again after a refusal', async () => {
    using lead = new PersonAtWindow().press(/^Approve Promote the ranker/, 'Approve');
    let version = 1;
    const sent: (number | undefined)[] = [];
    const client: ControlPlaneClient = fakeControlPlane({
      getRequest: () => aRequest({ version, requester: LENA }),
      approveRequest: (input) => {
        sent.push(input.version);
        if (input.version === 2) return aRequest({ state: 'approved' });
        version = 2;
        throw new ControlPlaneError({
          type: 'urn:oam:problem:precondition_failed',
          title: 'Changed meanwhile',
          status: 412,
          code: 'precondition_failed',
          detail: 'Somebody else changed this meanwhile. Look at it again.',
        });
      },
    }).client;
    let readings = 0;
    const model: Pick<AccessModel, 'data' | 'reload'> = {
      data: undefined,
      reload: () => {
        readings += 1;
        return Promise.resolve();
      },
    };
    const decide = decisions(
      () => client,
      model,
      () => Promise.resolve({ grants: [] }),
      { nowMs: () => Date.now() },
      silentLogger,
    );
    await assert.rejects(decide.approve(aRequest()), { code: 'precondition_failed' });
    assert.equal(readings, 1);
    // As "Try Again" does: with the line that was clicked.
    await decide.approve(aRequest());
    assert.deepEqual(sent, [1, 2]);
    assert.equal(readings, 2);
    assert.equal(lead.told.filter((text) => text.startsWith('Approve')).length, 3);
  });
});
