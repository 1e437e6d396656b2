import assert from 'node:assert/strict';

import { token } from '../../../src/cli/commands/token.ts';
import { connect } from '../../../src/cli/connection/connect.ts';
import { exec } from '../../../src/cli/exec/exec.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { HOUR_MS } from '../../../src/domain/time.ts';
import type { Session } from '../../../src/identity/index.ts';
import type { GrantView } from '../../../src/protocol/schemas.ts';
import { fakeControlPlane, fakeInvocation, grantView, NOW, ok, page } from './fake-control-plane.ts';

/** Of Databricks' own domain, as anybody's workspace is. */
const FOREIGN = 'https://foreign.cloud.databricks.com';

const ANA: Session = {
  ...{ issuer: 'https://idp.example', subject: 'ana', userName: 'ana@example.com', displayName: 'Ana' },
  ...{ accessToken: 'access-token-1', accessTokenExpiresAtMs: NOW + HOUR_MS },
  ...{ idToken: 'id-token-1', idTokenExpiresAtMs: NOW + HOUR_MS },
};

describe('oam: a control plane that names a foreign workspace in a grant', () => {
  const grantOf = (credential: GrantView['role']['credential']): GrantView => {
    const { role, ...grant } = grantView();
    return { ...grant, role: { ...role, credential, workspace: { name: 'ml-prod', host: FOREIGN } } };
  };

  const scene = async (grant: GrantView) => {
    const { transport, calls } = fakeControlPlane({
      'GET /configuration': [
        ok({
          ...{ product: 'databricks-ml-oam', version: '1' },
          identity: { issuer: ANA.issuer, clientId: 'c', audience: 'a', scopes: [] },
          workspaces: [{ name: 'ml-prod', host: 'https://ml-prod.cloud.databricks.com' }],
        }),
      ],
      'GET /grants': [page(grant)],
      'GET /grants/g1': [ok(grant)],
      'POST /grants/g1/credential': [
        ok({
          ...{ kind: 'assumption', leaseId: 'l1', grantId: 'g1', host: FOREIGN, assumeGroup: '7' },
          expiresAt: new Date(NOW + HOUR_MS).toISOString(),
        }),
      ],
    });
    const env = { OAM_URL: 'https://oam.example', XDG_STATE_HOME: '/dev/null', HOME: '/dev/null' };
    const { invocation } = fakeInvocation({ transport, env });
    const flags = { keychain: false };
    const connection = await connect(invocation, flags);
    await connection.session.accept(ANA);
    return { connection, invocation, flags, calls };
  };
  const isNotAgreed = (error: unknown): boolean => hasCode(error, 'workspace_not_agreed');
  const program = {
    ...{ command: process.execPath, args: ['-e', '0'], roleId: 'ranker-query', purpose: 'A check' },
    ...{ ticket: undefined, minutes: undefined, workspace: undefined, fileOidc: false },
  };

  for (const credential of ['member', 'assume'] as const) {
    it(`gets no sign-in sent there, and starts nothing, for a role of the kind ${credential}`, async () => {
      const { connection, invocation, calls } = await scene(grantOf(credential));
      await assert.rejects(exec(program, connection, invocation), isNotAgreed);
      assert.deepEqual(calls, ['GET /configuration', 'GET /grants']);
    });
  }

  it('gets no sign-in sent there for a token that is asked for under the grant', async () => {
    const { connection, invocation, flags, calls } = await scene(grantOf('assume'));
    await assert.rejects(token({ ...flags, grant: 'g1' }, connection, invocation), isNotAgreed);
    assert.ok(!calls.some((call) => call.includes('oidc')), calls.join(', '));
  });
});
