import * as z from 'zod/mini';

import type { PrincipalKey } from '../domain/principal.ts';
import type { EpochMs } from '../domain/time.ts';

const SessionSchema = z.readonly(
  z.object({
    issuer: z.string(),
    subject: z.string(),
    userName: z.string(),
    displayName: z.string(),
    accessToken: z.string(),
    accessTokenExpiresAtMs: z.number(),
    idToken: z.string(),
    idTokenExpiresAtMs: z.number(),
    refreshToken: z.optional(z.string()),
    beganAtMs: z.optional(z.number()),
    signInId: z.optional(z.string()),
  }),
);

/** Somebody who is signed in: who they are and the two tokens, of which each opens one door only. */
export interface Session {
  /** The issuer that vouches for `subject`. */
  readonly issuer: string;
  readonly subject: string;
  /** For people to read. */
  readonly userName: string;
  readonly displayName: string;
  /** For the control plane and nobody else. */
  readonly accessToken: string;
  /** Epoch milliseconds, from the token's `exp`. */
  readonly accessTokenExpiresAtMs: EpochMs;
  /** The subject token: for a workspace's token endpoint and nobody else. */
  readonly idToken: string;
  /** Epoch milliseconds, from the token's `exp`. */
  readonly idTokenExpiresAtMs: EpochMs;
  /** Absent where the provider gives none; the session then ends with its tokens. */
  readonly refreshToken?: string | undefined;
  /** When the person showed who they are; it stays over refreshes. Epoch milliseconds. */
  readonly beganAtMs?: EpochMs | undefined;
  /** Tells one sign-in from the next; it stays over refreshes. Absent from sessions of older versions. */
  readonly signInId?: string | undefined;
}

/** What a workspace's token endpoint takes, and whose it is. */
export interface SubjectToken {
  readonly token: string;
  /** Epoch milliseconds. */
  readonly expiresAtMs: EpochMs;
  /** The person as the control plane knows them: the token may name them otherwise. */
  readonly principal: PrincipalKey;
}

/** Whose session it is. */
export function principalOf({ issuer, subject }: Session): PrincipalKey {
  return { iss: issuer, sub: subject };
}

/** The text in which a session is kept in a secret store. */
export function serializeSession(session: Session): string {
  return JSON.stringify(session);
}

/** The session in a stored text, or nothing where the text is not one. */
export function parseSession(text: string): Session | undefined {
  try {
    const parsed = z.safeParse(SessionSchema, JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Where the session of this machine is kept. The editor's is SecretStorage; the command line's, the keychain. */
export interface SessionStore {
  read(): Promise<string | undefined>;
  write(value: string): Promise<void>;
  clear(): Promise<void>;
}

/** A store that ends with the process, for machines without a keychain. */
export function memorySessionStore(): SessionStore {
  let kept: string | undefined;
  return {
    read: () => Promise.resolve(kept),
    write(value) {
      kept = value;
      return Promise.resolve();
    },
    clear() {
      kept = undefined;
      return Promise.resolve();
    },
  };
}
