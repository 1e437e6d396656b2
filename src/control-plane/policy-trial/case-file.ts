import * as z from 'zod/mini';

import { DUTIES } from '../../domain/principal.ts';

const Text = z.string().check(z.minLength(1));

/** What a case can do. */
export const DEEDS = ['request', 'approve', 'delegate', 'revoke', 'read_audit', 'rotate_keys'] as const;

/** One of {@link DEEDS}. */
export type Deed = (typeof DEEDS)[number];

/** What a case can expect: the first three of a request, the last two of everything else. */
export const EXPECTATIONS = ['at_once', 'with_approval', 'refused', 'allowed'] as const;

/** One of {@link EXPECTATIONS}. */
export type Expectation = (typeof EXPECTATIONS)[number];

/** What is only said of a request. */
export const WISH_KEYS = [
  'minutes',
  'heldMinutes',
  'ticket',
  'purposeCharacters',
  'hourUtc',
  'weekday',
  'breakGlass',
  'verified',
] as const;

/** A file of `tests/` in a policy folder: who there is, and what policy shall say to them. Unknown keys are refused. */
export const CaseFile = z.strictObject({
  people: z._default(
    z.record(
      Text,
      z.strictObject({
        duty: z.optional(z.enum(DUTIES)),
        groups: z._default(z.array(Text), []),
        attributes: z._default(z.record(Text, z.array(Text)), {}),
      }),
    ),
    {},
  ),
  workloads: z._default(
    z.record(
      Text,
      z.strictObject({ issuer: Text, subject: Text, claims: z._default(z.record(Text, Text), {}) }),
    ),
    {},
  ),
  cases: z
    .array(
      z.strictObject({
        name: Text,
        who: Text,
        does: z._default(z.enum(DEEDS), 'request'),
        role: z.optional(Text),
        /** Whose request is approved, who becomes a delegate, whose access is revoked. */
        of: z.optional(Text),
        minutes: z.optional(z.int().check(z.minimum(1))),
        /** Of an extension: for how long access will have been held by its present end. */
        heldMinutes: z.optional(z.int().check(z.minimum(1))),
        ticket: z.optional(Text),
        purposeCharacters: z.optional(z.int().check(z.minimum(1), z.maximum(10_000))),
        hourUtc: z.optional(z.int().check(z.minimum(0), z.maximum(23))),
        weekday: z.optional(z.int().check(z.minimum(1), z.maximum(7))),
        breakGlass: z.optional(z.boolean()),
        /** The callbacks that confirmed ticket and purpose. */
        verified: z.optional(z.array(Text)),
        expect: z.enum(EXPECTATIONS),
        /** Rules that are among those which decided. */
        rules: z.optional(z.array(Text)),
        /** Words that are among the reasons. */
        because: z.optional(Text),
        /** Of the people of the file, exactly those who may approve. */
        approvers: z.optional(z.array(Text)),
      }),
    )
    .check(z.minLength(1)),
});

/** See {@link CaseFile}. */
export type CaseFile = z.infer<typeof CaseFile>;
