import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import { OamError } from '../../domain/errors.ts';

const KEY_BYTES = 32;

const NONCE_BYTES = 12;

const TAG_BYTES = 16;

/** The keys of a {@link Seal}: 32 random bytes in Base64 each. */
export interface SealKeys {
  readonly key: string;
  /** What was `key` before. Opens what it sealed, and seals nothing any more. */
  readonly previous?: string | undefined;
}

/** A secret that was unsealed. */
export interface Unsealed {
  readonly secret: string;
  /** True where the previous key opened it: it is to be sealed anew. */
  readonly stale: boolean;
}

/** Keeps a secret so that only whoever has the key reads it. */
export interface Seal {
  /** AES-256-GCM; `context` is bound in and must be given again. Answers nonce, ciphertext and tag in one. */
  close(secret: string, context: string): Buffer;
  /** @throws {OamError} `seal_broken` with other keys, another context or changed bytes. */
  open(sealed: Buffer, context: string): Unsealed;
}

/**
 * A seal by the key in `OAM_KEY`, which also opens what the one in `OAM_KEY_PREVIOUS` sealed.
 *
 * @throws {OamError} `seal_key_invalid`.
 */
export function createSeal({ key, previous }: SealKeys): Seal {
  const present = parseKey(key);
  const earlier = previous === undefined ? undefined : parseKey(previous);
  return {
    close(secret, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', present, nonce);
      cipher.setAAD(Buffer.from(context));
      return Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, context) {
      try {
        return { secret: decipher(sealed, context, present), stale: false };
      } catch (error) {
        if (earlier === undefined) throw broken(error);
      }
      try {
        return { secret: decipher(sealed, context, earlier), stale: true };
      } catch (error) {
        throw broken(error);
      }
    },
  };
}

function parseKey(keyBase64: string): Buffer {
  const key = Buffer.from(keyBase64, 'base64');
  // Node reads Base64 leniently; a key that was cut or mistyped must not be taken for a shorter one.
  const canonical = key.toString('base64').replace(/=+$/, '');
  const given = keyBase64.trim().replace(/-/g, '+').replace(/_/g, '/').replace(/=+$/, '');
  if (key.length === KEY_BYTES && canonical === given) return key;
  throw new OamError(
    'seal_key_invalid',
    "The key that seals OAM's signing keys must be 32 random bytes in Base64. Make one with: openssl rand -base64 32",
  );
}

function decipher(sealed: Buffer, context: string, key: Buffer): string {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipheriv = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipheriv.setAAD(Buffer.from(context));
  decipheriv.setAuthTag(sealed.subarray(-TAG_BYTES));
  const ciphertext = sealed.subarray(NONCE_BYTES, -TAG_BYTES);
  return decipheriv.update(ciphertext, undefined, 'utf8') + decipheriv.final('utf8');
}

function broken(cause: unknown): OamError {
  return new OamError(
    'seal_broken',
    "OAM's signing key cannot be unsealed. Start with the OAM_KEY that it was sealed with, or with that one in OAM_KEY_PREVIOUS; where it is lost for good, start once with --signing-keys-lost.",
    { cause },
  );
}
