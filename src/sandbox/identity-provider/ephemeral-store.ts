import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider';

import { SECOND_MS } from '../../domain/time.ts';

interface Entry {
  readonly model: string;
  readonly id: string;
  readonly payload: AdapterPayload;
  readonly expiresAtMs: number;
}

/** Where the sandbox's identity provider keeps sessions and tokens: in memory, for as long as it runs. */
export interface EphemeralStore {
  readonly adapter: AdapterFactory;
  /** Forgets every session, grant and token of one person. */
  forgetAccount(sub: string): void;
}

/** Creates an empty store. */
export function createEphemeralStore(): EphemeralStore {
  const entries = new Map<string, Entry>();

  const live = (): Entry[] => {
    const nowMs = Date.now();
    for (const [key, entry] of entries) {
      if (entry.expiresAtMs <= nowMs) entries.delete(key);
    }
    return [...entries.values()];
  };

  const forget = (unwanted: (entry: Entry) => boolean): void => {
    for (const entry of live()) {
      if (unwanted(entry)) entries.delete(keyOf(entry.model, entry.id));
    }
  };

  const adapter = (model: string): Adapter => {
    const findWhere = (wanted: (payload: AdapterPayload) => boolean): Promise<AdapterPayload | undefined> =>
      Promise.resolve(live().find((entry) => entry.model === model && wanted(entry.payload))?.payload);

    return {
      upsert(id, payload, expiresInSeconds) {
        const expiresAtMs =
          expiresInSeconds === undefined ? Infinity : Date.now() + expiresInSeconds * SECOND_MS;
        entries.set(keyOf(model, id), { model, id, payload, expiresAtMs });
        return Promise.resolve();
      },
      find(id) {
        live();
        return Promise.resolve(entries.get(keyOf(model, id))?.payload);
      },
      findByUserCode: (userCode) => findWhere((payload) => payload.userCode === userCode),
      findByUid: (uid) => findWhere((payload) => payload.uid === uid),
      consume(id) {
        const entry = entries.get(keyOf(model, id));
        if (entry) entry.payload.consumed = Math.floor(Date.now() / SECOND_MS);
        return Promise.resolve();
      },
      destroy(id) {
        entries.delete(keyOf(model, id));
        return Promise.resolve();
      },
      revokeByGrantId(grantId) {
        forget((entry) => entry.payload.grantId === grantId);
        return Promise.resolve();
      },
    };
  };

  return {
    adapter,
    forgetAccount(sub) {
      forget((entry) => entry.payload.accountId === sub);
    },
  };
}

function keyOf(model: string, id: string): string {
  return `${model}:${id}`;
}
