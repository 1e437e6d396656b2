import type { Logger } from '../../domain/logger.ts';
import type { LastUse } from '../../identity/index.ts';
import type { PinMemento } from '../connection/pinned-trust.ts';

/** When the person last did something in a window of this machine, as VS Code remembers it for all of them. */
export function mementoLastUse(memento: PinMemento, machine: string, logger: Logger): LastUse {
  const key = `used:${machine}`;
  return {
    read() {
      const kept = memento.get(key);
      return typeof kept === 'number' && Number.isFinite(kept) ? kept : undefined;
    },
    write(atMs) {
      Promise.resolve(memento.update(key, atMs)).catch((error: unknown) => {
        logger.warn('The last use of the session could not be kept', { error: String(error) });
      });
    },
  };
}
