import { sql } from 'kysely';
import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import { RUNNER_OPERATIONS } from '../../protocol/runners.ts';
import type { Core } from '../core.ts';
import type { RunnerFacts } from './tokens.ts';

const Addressed = z.object({ id: z.optional(z.uuid()) });

/**
 * Holds a runner to what it is for: its own grant, and those that extend it.
 *
 * @throws {OamError} `not_allowed`.
 */
export async function confine(
  { db }: Pick<Core, 'db'>,
  runner: RunnerFacts,
  operation: string,
  params: unknown,
): Promise<void> {
  if (!RUNNER_OPERATIONS.includes(operation)) throw new NotForRunners();
  const addressed = Addressed.safeParse(params);
  if (!addressed.success) throw new NotForRunners();
  const { id } = addressed.data;
  if (id === undefined) return;
  if (operation === 'endRunner') {
    if (id !== runner.id) throw new NotForRunners();
    return;
  }
  const { rows } = await sql`
    select from oam.access_grant bound join oam.access_grant addressed using (chain_id)
    where bound.id = ${runner.grantId} and addressed.id = ${id}`.execute(db);
  if (rows.length === 0) throw new NotForRunners();
}

/** The refusal of what a program may not do that took one access over; always on the record, whatever it was. */
export class NotForRunners extends OamError {
  constructor() {
    super('not_allowed', 'A program that took over one access can use that access, and nothing else.');
    this.name = 'NotForRunners';
  }
}
