import type { Redactor } from '../domain/redaction.ts';
import type { Session } from './session.ts';

/** Masks the tokens of the present session and of the one before it, which may still be on their way somewhere. */
export function maskSessions(redactor: Redactor): { cover(session: Session): void } {
  let present: Disposable[] = [];
  let former: Disposable[] = [];
  let covered: Session | undefined;
  return {
    cover(session) {
      if (covered === session) return;
      covered = session;
      for (const mask of former) mask[Symbol.dispose]();
      former = present;
      present = [session.accessToken, session.idToken, session.refreshToken]
        .filter((secret) => secret !== undefined)
        .map((secret) => redactor.register(secret));
    },
  };
}
