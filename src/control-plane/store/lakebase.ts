import * as z from 'zod/mini';

import type { LakebaseTarget, WorkspaceClient } from '../../databricks/index.ts';
import { type Redactor, registerRecent } from '../../domain/redaction.ts';
import { type Clock, MINUTE_MS } from '../../domain/time.ts';
import { EnvironmentName } from '../configuration/secret.ts';

const Text = z.string().check(z.minLength(1));

const Common = {
  host: Text,
  port: z._default(z.int().check(z.minimum(1), z.maximum(65_535)), 5_432),
  database: z._default(Text, 'databricks_postgres'),
  /** The origin of the workspace that makes the passwords. */
  workspace: Text,
  /** The service principal that OAM is in the database; its core one unless given. */
  clientId: z.optional(Text),
  clientSecretEnv: z.optional(EnvironmentName),
};

/** The section `lakebase` of the configuration's file. */
export const LakebaseSettings = z.union([
  z.strictObject({ ...Common, endpoint: Text }),
  z.strictObject({ ...Common, instance: Text }),
]);

/** See {@link LakebaseSettings}. */
export type LakebaseSettings = z.infer<typeof LakebaseSettings>;

/** What the settings name. */
export function lakebaseTarget(settings: LakebaseSettings): LakebaseTarget {
  return 'endpoint' in settings
    ? { kind: 'endpoint', name: settings.endpoint }
    : { kind: 'instance', name: settings.instance };
}

/** Passwords that change while the store is open. Each new connection asks for the present one. */
export interface ChangingPassword {
  /** One that is good as far as is known. */
  take(): Promise<string>;
  /** The last that was taken; undefined before. */
  last(): string | undefined;
  /** The database does not accept this one: the next is another. */
  drop(password: string): void;
}

/** What {@link lakebasePassword} needs. */
export interface LakebasePasswordParts {
  readonly client: Pick<WorkspaceClient, 'databaseCredential'>;
  readonly target: LakebaseTarget;
  readonly redactor: Redactor;
  /** Of the machine: the store's cannot be asked before there is a connection. */
  readonly clock: Clock;
}

/** A password is replaced this long before it ends, or at half its life where that is later. */
const RENEW_AHEAD_MS = 5 * MINUTE_MS;

/** Passwords that Databricks makes for a Lakebase database. One is used for all connections until shortly before its end. */
export function lakebasePassword({
  client,
  target,
  redactor,
  clock,
}: LakebasePasswordParts): ChangingPassword {
  let current: { password: string; renewAtMs: number } | undefined;
  // A former one opens the database until its own end, and connections that were made with it speak of it.
  const mask = registerRecent(redactor);
  let fetching: Promise<string> | undefined;
  const fetch = async (): Promise<string> => {
    const { password, expiresAtMs } = await client.databaseCredential(target);
    const nowMs = clock.nowMs();
    const lifeMs = Math.max(0, expiresAtMs - nowMs);
    mask(password);
    current = {
      password,
      renewAtMs: nowMs + lifeMs - Math.min(RENEW_AHEAD_MS, lifeMs / 2),
    };
    return password;
  };
  return {
    async take() {
      if (current !== undefined && clock.nowMs() < current.renewAtMs) return current.password;
      fetching ??= fetch().finally(() => {
        fetching = undefined;
      });
      return fetching;
    },
    last: () => current?.password,
    drop(password) {
      // Another connection may have dropped it before and fetched the next one already.
      if (current?.password === password) current.renewAtMs = 0;
    },
  };
}
