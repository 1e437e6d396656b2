import { sql } from 'kysely';
import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import { RUNNER_OPERATIONS } from '../../protocol/runners.ts';
import type { Bearer } from '../authentication/token-verifier.ts';
import type { Core } from '../core.ts';
import { tokenEnded } from './tokens.ts';

const Addressed = z.object({ id: z.optional(z.uuid()) });

/**
 * Holds a runner to what it is for: its own grant, and those that extend it; and with a token that has expired, to getting
 * the next one. Does nothing for anybody else.
 *
 * @throws {OamError} `not_allowed`, `session_expired`.
 */
export async function confine(
  { db }: Pick<Core, 'db'>,
  { runner, principal }: Pick<Bearer, 'runner' | 'principal'>,
  operation: string,
  params: unknown,
): Promise<void> {
  if (runner === undefined) return;
  if (runner.isExpired && operation !== 'renewRunner') throw tokenEnded(principal);
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
