import assert from 'node:assert/strict';

import { assertLasts } from '../../../src/cli/exec/lasting.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { CREDENTIAL_KINDS } from '../../../src/domain/role.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';
import type { Session } from '../../../src/identity/index.ts';
import { NOW } from './fake-control-plane.ts';

const SESSION: Session = {
  issuer: 'https://idp.example',
  subject: 'ana',
  userName: 'ana@example.com',
  displayName: 'Ana',
  accessToken: 'access-token',
  accessTokenExpiresAtMs: NOW + 60 * MINUTE_MS,
  idToken: 'id-token',
  idTokenExpiresAtMs: NOW + 30 * MINUTE_MS,
};

/** The kinds that are refused. */
function refused(session: Session, minutes: number | undefined): string[] {
  return CREDENTIAL_KINDS.filter((kind) => {
    try {
      assertLasts(kind, session, minutes, NOW);
      return false;
    } catch (error) {
      assert.ok(hasCode(error, 'session_too_short'));
      return true;
    }
  });
}

describe('oam exec: what cannot last', () => {
  it("is refused where it works by a person's session that ends before, and by nothing else", () => {
    assert.deepEqual(refused(SESSION, 31), ['member', 'assume']);
  });

  it('is not refused where the session lasts, is renewed, or nobody said how long', () => {
    assert.deepEqual(refused(SESSION, 30), []);
    assert.deepEqual(refused({ ...SESSION, refreshToken: 'refresh-token' }, 600), []);
    assert.deepEqual(refused(SESSION, undefined), []);
  });

  it('asks the own sign-in at the workspace, where tokens come from there, in the place of the ID token', () => {
    const lasts = (session: Session, untilMs: number): boolean => {
      try {
        assertLasts('member', session, 120, NOW, untilMs);
        return true;
      } catch (error) {
        assert.ok(hasCode(error, 'session_too_short'));
        return false;
      }
    };
    const renewed = { ...SESSION, refreshToken: 'refresh-token' };
    assert.ok(lasts(renewed, Infinity));
    assert.ok(!lasts(renewed, NOW + 60 * MINUTE_MS), 'a sign-in that cannot be renewed ends in an hour');
    assert.ok(!lasts(SESSION, Infinity), 'whoever is signed out of OAM gets no token');
    assert.ok(lasts({ ...SESSION, accessTokenExpiresAtMs: NOW + 121 * MINUTE_MS }, Infinity));
  });

  it('counts the token that ends first', () => {
    const access = { ...SESSION, accessTokenExpiresAtMs: NOW + 10 * MINUTE_MS };
    assert.deepEqual(refused(access, 11), ['member', 'assume']);
  });
});
