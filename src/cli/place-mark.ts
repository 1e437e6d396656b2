import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

import { sha256Hex } from '../domain/canonical.ts';

/** Tells where process numbers mean what they mean here: this machine, or this container. Folders may be shared with others. */
export function placeMark(): string {
  return shortHash(`${hostname()} ${processNamespace()}`);
}

/** Sixteen hexadecimal digits that stand for a text. */
export function shortHash(text: string): string {
  return sha256Hex(text).slice(0, 16);
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
