import assert from 'node:assert/strict';

import { pushPerson } from '../directory/pushes.ts';
import { bearerOf } from '../world.ts';
import { granted } from './granted.ts';
import {
  gone,
  GROUP,
  issue,
  leases,
  NO_SWEEP,
  OWNER,
  ROLE,
  startTokenWorld,
  statusAs,
  until,
} from './personal-token-world.ts';

describe('two who hold one role by personal access tokens', function () {
  this.timeout(40_000);

  it('lose each their own, and the membership goes with the last of them', async () => {
    const world = await startTokenWorld();
    try {
      const second = { sub: '00u-second', preferred_username: 'second@example.com', name: 'Second' };
      const ask = { body: { roleId: ROLE, purpose: 'Roll out', minutes: 10 } };
      const a = await granted(world, 'ana', ROLE, 10);
      const asked = await world.client('ana', second).call('createRequest', ask);
      const approved = await world
        .client('lena')
        .call('approveRequest', { params: { id: asked.id }, version: asked.version, body: {} });
      const b = await world.until(approved.grantId ?? '', 'active');
      const first = await issue(world, a.id);
      const other = await world.client('ana', second).call('issueCredential', { params: { id: b.id } });
      await world.client('ana').call('returnGrant', { params: { id: a.id } });
      await world.until(a.id, 'ended');
      await until(
        () => statusAs(world, bearerOf(first)),
        (status) => status === 403,
      );
      assert.equal(await statusAs(world, bearerOf(other)), 200);
      assert.deepEqual(world.databricks.members(GROUP), [OWNER.id]);
      const grant = await until(
        () => world.client('aude').call('getGrant', { params: { id: a.id } }),
        ({ outlives }) => outlives === null,
      );
      assert.equal(grant.membershipAbsentAt, null);
      await world.client('ana', second).call('returnGrant', { params: { id: b.id } });
      await gone(world);
      await world.until(b.id, 'ended');
      assert.deepEqual(world.databricks.members(GROUP), []);
    } finally {
      await world.close();
    }
  });
});

describe('the personal access token of somebody who leaves the company', function () {
  this.timeout(40_000);

  it('is deleted at once by the word of the directory, and works no more', async () => {
    const world = await startTokenWorld({ directory: true, ...NO_SWEEP });
    try {
      const grant = await granted(world, 'ana', ROLE, 60);
      const token = bearerOf(await issue(world, grant.id));
      assert.equal(await statusAs(world, token), 200);
      await pushPerson(world, 'ana', { active: false });
      await gone(world);
      assert.equal(await statusAs(world, token), 403);
      // Of all that a deletion leaves on record, the lease comes last.
      await until(
        () => leases(world, grant.id, 'aude'),
        ([seen]) => seen?.state === 'revoked',
      );
    } finally {
      await world.close();
    }
  });
});
