import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import { OamError } from '../../domain/errors.ts';

const KEY_BYTES = 32;

const NONCE_BYTES = 12;

const TAG_BYTES = 16;

/** Keeps a secret so that only whoever has the key reads it. */
export interface Seal {
  /** AES-256-GCM; `context` is bound in and must be given again. Answers nonce, ciphertext and tag in one. */
  close(secret: string, context: string): Buffer;
  /** @throws {OamError} `seal_broken` with another key, another context or changed bytes. */
  open(sealed: Buffer, context: string): string;
}

/**
 * A seal by the key in `OAM_KEY`: 32 random bytes in Base64.
 *
 * @throws {OamError} `seal_key_invalid`.
 */
export function createSeal(keyBase64: string): Seal {
  const key = Buffer.from(keyBase64, 'base64');
  // Node reads Base64 leniently; a key that was cut or mistyped must not be taken for a shorter one.
  const canonical = key.toString('base64').replace(/=+$/, '');
  const given = keyBase64.trim().replace(/-/g, '+').replace(/_/g, '/').replace(/=+$/, '');
  if (key.length !== KEY_BYTES || canonical !== given) {
    throw new OamError(
      'seal_key_invalid',
      "The key that seals OAM's signing key must be 32 random bytes in Base64. Make one with: openssl rand -base64 32",
    );
  }
  return {
    close(secret, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      cipher.setAAD(Buffer.from(context));
      return Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, context) {
      try {
        const nonce = sealed.subarray(0, NONCE_BYTES);
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
        decipher.setAAD(Buffer.from(context));
        decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
        const ciphertext = sealed.subarray(NONCE_BYTES, -TAG_BYTES);
        return decipher.update(ciphertext, undefined, 'utf8') + decipher.final('utf8');
      } catch (error) {
        throw new OamError(
          'seal_broken',
          "OAM's signing key cannot be unsealed. Start with the OAM_KEY that it was sealed with.",
          { cause: error },
        );
      }
    },
  };
}
