import type { Figure } from '../figure.ts';
import { broker } from './broker.ts';
import { activation } from './activation.ts';
import { memory } from './memory.ts';
import { policy } from './policy.ts';
import { revocation } from './revocation.ts';
import { soak } from './soak.ts';
import { throttledAccount, throttledWorkspace } from './throttled.ts';
import { tree } from './tree.ts';
import { transitions } from './transitions.ts';
import { usable } from './usable.ts';

/** All that `npm run bench` measures, in this order. */
export const FIGURES: readonly Figure[] = [
  broker,
  soak,
  policy,
  usable,
  transitions,
  revocation,
  throttledAccount,
  throttledWorkspace,
  memory,
  activation,
  tree,
];
