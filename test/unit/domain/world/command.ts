import assert from 'node:assert/strict';

import fc from 'fast-check';

import { OamError } from '../../../../src/domain/errors.ts';
import { type Name, NAMES } from './company.ts';
import type { Desk } from './desk.ts';
import { expectInvariants } from './invariants.ts';
import type { Asked, Given, Ledger } from './ledger.ts';
import { LAPSE_MINUTES } from './request-desk.ts';
import type { Surroundings } from './surroundings.ts';

export const MINUTE = 60_000;

/** The real side: the rules at their desk, with the clock and Databricks around them. */
export interface World {
  readonly desk: Desk;
  readonly surroundings: Surroundings;
}

export type Command = fc.Command<Ledger, World>;

/** What speaks against something, by code; false where it does not. */
export type Against = readonly (string | false)[];

export function command(
  says: string,
  run: (ledger: Ledger, world: World) => void,
  isReady: (ledger: Ledger) => boolean = () => true,
): Command {
  return {
    check: (ledger) => isReady(ledger),
    run: (ledger, world) => {
      run(ledger, world);
      expectInvariants(ledger, world.desk, world.surroundings);
    },
    toString: () => says,
  };
}

/** Does it, and holds it to what the ledger says: refused for one of the reasons, or accepted where there is none. */
export function attempt<T>(ledger: Ledger, what: string, reasons: Against, work: () => T): T | undefined {
  const against = reasons.filter((reason) => reason !== false);
  let result: T;
  try {
    result = work();
  } catch (error) {
    if (!(error instanceof OamError)) throw error;
    assert.ok(against.includes(error.code), `${what}: ${error.code} is none of [${against.join()}]`);
    ledger.count(`${what}: ${error.code}`);
    return undefined;
  }
  assert.deepEqual(against, [], `${what} was accepted`);
  ledger.count(what);
  return result;
}

export const pick = <T>(list: readonly T[], index: number): T => {
  const item = list[index % list.length];
  if (item === undefined) throw new TypeError('There is nothing to pick from.');
  return item;
};

export const index = fc.nat({ max: 1_000 });
export const who = fc.constantFrom(...NAMES);
export const requester = fc.constantFrom<Name>('ana', 'ana', 'ben', 'run');
export const roleId = fc.constantFrom('read', 'read', 'deploy', 'deploy', 'own');

/** A command about one of the requests that are open, or any request where none is. */
export const onRequest =
  (says: string, run: (asked: Asked, ledger: Ledger, world: World) => void) => (at: number) =>
    command(
      `${says} (request ${at})`,
      (ledger, world) => {
        const open = ledger.asked.filter((asked) => ledger.isOpen(asked));
        run(pick(open.length === 0 || at % 5 === 0 ? ledger.asked : open, at), ledger, world);
      },
      (ledger) => ledger.asked.length > 0,
    );

/** A command about one of the grants that it is most likely to befall, now and then about any. */
export const onGrant =
  (says: string, run: (given: Given, ledger: Ledger, world: World) => void, ...likely: readonly string[]) =>
  (at: number) =>
    command(
      `${says} (grant ${at})`,
      (ledger, world) => {
        const first = ledger.given.filter(({ state }) => likely.includes(state));
        run(pick(first.length === 0 || at % 8 === 0 ? ledger.given : first, at), ledger, world);
      },
      (ledger) => ledger.given.length > 0,
    );

export const grantIdOf = (world: World, asked: Asked) => () => world.desk.requests.read(asked.id).grantId;

/** Notes down what was asked for, and what became of it at once. */
export function note(
  ledger: Ledger,
  world: World,
  wish: Pick<Asked, 'id' | 'requester' | 'roleId' | 'minutes' | 'startsAtMs' | 'breakGlass' | 'extended'>,
): void {
  const { revision, stages } = ledger.role(wish.roleId);
  const asked: Asked = {
    ...wish,
    state: 'pending',
    yes: [],
    approvedMinutes: undefined,
    revision,
    stages: wish.breakGlass ? [] : stages,
    lapsesAtMs: Math.min(ledger.nowMs + LAPSE_MINUTES * MINUTE, wish.extended?.endsAtMs ?? Infinity),
  };
  ledger.asked.push(asked);
  ledger.settle(asked, grantIdOf(world, asked));
}
