import { randomBytes, timingSafeEqual } from 'node:crypto';

import type { Directory, ServicePrincipal } from '../account/directory.ts';
import type { SandboxCredentials } from '../options.ts';
import { SEED } from '../seed/identities.ts';

/** The OAuth secrets of service principals. New ones are made at every start. */
export class Secrets {
  readonly #directory: Directory;
  readonly #secrets = new Map<string, string>();

  constructor(directory: Directory) {
    this.#directory = directory;
    for (const { id } of [
      SEED.servicePrincipals.core,
      SEED.servicePrincipals.admin,
      SEED.servicePrincipals.tokens,
      SEED.servicePrincipals.reader,
      SEED.servicePrincipals.ci,
    ]) {
      this.#secrets.set(id, `dose${randomBytes(16).toString('hex')}`);
    }
  }

  of({ id, applicationId }: { readonly id: string; readonly applicationId: string }): SandboxCredentials {
    return { applicationId, secret: this.#secrets.get(id) ?? '' };
  }

  /** The service principal, if the secret is its own. */
  verify(applicationId: string, secret: string): ServicePrincipal | undefined {
    const principal = this.#directory.servicePrincipalByApplicationId(applicationId);
    const expected = principal === undefined ? undefined : this.#secrets.get(principal.id);
    if (expected === undefined || principal?.active !== true) return undefined;
    const given = Buffer.from(secret);
    const wanted = Buffer.from(expected);
    return given.length === wanted.length && timingSafeEqual(given, wanted) ? principal : undefined;
  }
}
