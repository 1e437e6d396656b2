import { setTimeout } from 'node:timers/promises';

const PATIENCE_MS = 40_000;
const LOOK_EVERY_MS = 50;

/** Looks again and again until something is so; fails with `what` where it does not become so. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const giveUpAtMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > giveUpAtMs) throw new Error(`This did not become so: ${what}`);
    await setTimeout(LOOK_EVERY_MS);
  }
}
