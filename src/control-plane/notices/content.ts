import * as z from 'zod/mini';

import { REQUEST_STATES } from '../../domain/lifecycle.ts';
import { REVIEW_VERDICTS } from '../../domain/review.ts';
import { NOTICE_KINDS } from './kinds.ts';

/** How something that people were told of came to its end. */
const Outcome = z.object({
  state: z.enum([...REQUEST_STATES, ...REVIEW_VERDICTS]),
  /** Who said so; absent where policy did, or time. */
  by: z.optional(z.string()),
  /** What they said, for the requester. */
  comment: z.optional(z.string()),
});

/** What a notice tells, as it was when it was made. Texts are people's own and not fit for any format yet. */
export const NoticeContent = z.object({
  kind: z.enum(NOTICE_KINDS),
  requester: z.object({ userName: z.string(), displayName: z.string() }),
  role: z.object({ id: z.string(), title: z.string(), gives: z.string(), workspace: z.string() }),
  team: z.string(),
  purpose: z.string(),
  ticket: z.optional(z.string()),
  minutes: z.number(),
  /** True where access that is held would last longer. */
  extension: z.boolean(),
  startsAtMs: z.optional(z.number()),
  lapsesAtMs: z.optional(z.number()),
  /** The step whose approvers have the word, from 1, and who they are. */
  step: z.optional(z.object({ number: z.number(), of: z.number(), approvers: z.string() })),
  /** What a wait is for: on another ground, or at another step, it is over. */
  waitsFor: z.optional(z.object({ hash: z.string(), stage: z.number() })),
  outcome: z.optional(Outcome),
  trouble: z.optional(z.string()),
  /** Of the link that opens the request; absent where there is nothing to open. */
  nonce: z.optional(z.string()),
});

/** See {@link NoticeContent}. */
export type NoticeContent = z.infer<typeof NoticeContent>;
