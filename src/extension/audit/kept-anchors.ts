import * as z from 'zod/mini';

import { AnchorLine, AuditKeys } from '../../protocol/audit.ts';
import type { PinMemento } from '../connection/pinned-trust.ts';

/** So many anchors are kept of each control plane: the first that was seen, and the newest. */
const KEPT = 200;

const Kept = z.object({ keys: AuditKeys, anchors: z.array(AnchorLine) });
type Kept = z.infer<typeof Kept>;

/**
 * What this machine has seen of the anchors of a control plane, and of the keys that sign them. Whoever makes a trail
 * anew can make its anchors anew as well, but not what an auditor's machine keeps.
 */
export class KeptAnchors {
  readonly #memento: PinMemento;

  constructor(memento: PinMemento) {
    this.#memento = memento;
  }

  /** What is kept of a control plane; undefined before its first verification. */
  read(controlPlaneUrl: string): Kept | undefined {
    const parsed = Kept.safeParse(this.#memento.get(keyOf(controlPlaneUrl)));
    return parsed.success ? parsed.data : undefined;
  }

  /** Keeps what was seen: keys once, anchors besides those that are kept. */
  async keep(controlPlaneUrl: string, keys: AuditKeys, seen: readonly AnchorLine[]): Promise<void> {
    const before = this.read(controlPlaneUrl);
    const known = new Set(before?.anchors.map(({ jws }) => jws));
    const all = [...(before?.anchors ?? []), ...seen.filter(({ jws }) => !known.has(jws))];
    const anchors = all.length <= KEPT ? all : [...all.slice(0, 1), ...all.slice(1 - KEPT)];
    await this.#memento.update(keyOf(controlPlaneUrl), { keys: before?.keys ?? keys, anchors });
  }
}

function keyOf(controlPlaneUrl: string): string {
  return `anchors:${controlPlaneUrl}`;
}
