import type { HostTrust } from '../../databricks/index.ts';
import type { EpochMs } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import type { Core } from '../core.ts';
import type { StoredGrant } from '../grants/rows.ts';
import type { Issuer } from '../issuer/issuer.ts';
import type { TokenMakingParts } from '../personal-tokens/make.ts';

/** What issuing needs. */
export interface CredentialParts {
  readonly core: Core;
  readonly issuer: Issuer;
  /** The Databricks account's id: the audience of role tokens. */
  readonly accountId: string;
  /** The hosts of the catalogue, and no others. */
  readonly trust: HostTrust;
  readonly transport: HttpTransport;
  /** Undefined where the configuration names no service principal for personal access tokens. */
  readonly personalTokens: Omit<TokenMakingParts, 'core'> | undefined;
}

/** A credential that was committed to, and is about to be made. */
export interface Commitment {
  readonly leaseId: string;
  readonly grant: StoredGrant;
  /** What the lease says. */
  readonly expiresAtMs: EpochMs;
  /** When it was committed to. */
  readonly nowMs: EpochMs;
}
