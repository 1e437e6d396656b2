import { OamError } from '../../../../src/domain/errors.ts';

interface Row {
  readonly id: string;
  readonly version: number;
  readonly state: string;
}

/** A store that writes only where the version is still the one that was read. */
export class Versioned<R extends Row> {
  readonly #rows = new Map<string, R>();

  get all(): readonly R[] {
    return [...this.#rows.values()];
  }

  read(id: string): R {
    const row = this.#rows.get(id);
    if (row === undefined) throw new TypeError(`There is no ${id}.`);
    return row;
  }

  insert(row: R): void {
    if (this.#rows.has(row.id)) throw new TypeError(`There is a ${row.id} already.`);
    this.#rows.set(row.id, row);
  }

  /** @throws {OamError} `precondition_failed` where somebody was faster. */
  save(seen: R, next: R): R {
    if (this.read(next.id).version !== seen.version) {
      throw new OamError('precondition_failed', 'It has changed meanwhile.');
    }
    const step = next.state === seen.state ? [0, 1] : [1];
    if (!step.includes(next.version - seen.version)) {
      throw new TypeError(`${seen.state} → ${next.state} went from ${seen.version} to ${next.version}`);
    }
    this.#rows.set(next.id, next);
    return next;
  }
}
