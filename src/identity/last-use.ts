import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import type { EpochMs } from '../domain/time.ts';

/** When the person last did something with their session, for all who share it. */
export interface LastUse {
  /** Undefined where nothing is known. Epoch milliseconds. */
  read(): EpochMs | undefined;
  write(atMs: EpochMs): void;
}

/** Remembers it in a file of a folder; what cannot be written is not remembered. No secret is in it. */
export function lastUseIn(folder: string): LastUse {
  const file = path.join(folder, 'last-use');
  return {
    read() {
      try {
        const atMs = Number(readFileSync(file, 'utf8'));
        return Number.isFinite(atMs) && atMs > 0 ? atMs : undefined;
      } catch {
        return undefined;
      }
    },
    write(atMs) {
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        writeFileSync(file, String(atMs), { mode: 0o600 });
      } catch {
        // The control plane holds the session to the limit all the same.
      }
    },
  };
}

/** Remembers it until the process ends. */
export function lastUseHere(): LastUse {
  let usedAtMs: EpochMs | undefined;
  return {
    read: () => usedAtMs,
    write(atMs) {
      usedAtMs = atMs;
    },
  };
}
