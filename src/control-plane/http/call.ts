import type * as z from 'zod/mini';

import type { Bearer } from '../authentication/token-verifier.ts';
import { endpoints, type OperationId } from '../../protocol/endpoints.ts';
import type { Intent } from './idempotency.ts';

type Operation<Id extends OperationId> = (typeof endpoints)[Id];

type ParamsOf<Id extends OperationId> = z.output<Operation<Id>['params']>;
type QueryOf<Id extends OperationId> = z.output<Operation<Id>['query']>;
type BodyOf<Id extends OperationId> = Operation<Id>['body'] extends z.ZodMiniType
  ? z.output<Operation<Id>['body']>
  : undefined;

/** What an operation answers. */
export type AnswerOf<Id extends OperationId> = z.output<Operation<Id>['response']>;

/** A call of one operation after its input was parsed and its caller known. */
export interface Call<Id extends OperationId> {
  readonly params: ParamsOf<Id>;
  readonly query: QueryOf<Id>;
  readonly body: BodyOf<Id>;
  /** Who calls. Not to be asked in a public operation. */
  bearer(): Bearer;
  /** Caller and `Idempotency-Key`. Only to be asked in a POST. */
  intent(): Intent;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** From `If-Match`. */
  readonly version: number | undefined;
}

/** What the control plane does for each operation of the protocol. */
export type Operations = {
  readonly [Id in OperationId]: (
    call: Call<Id>,
  ) => Promise<Operation<Id> extends { lines: true } ? AsyncIterable<AnswerOf<Id>> : AnswerOf<Id>>;
};

/** The protocol's table, seen so that the type checker relates an operation id to its input. */
export const inputs: {
  readonly [Id in OperationId]: {
    readonly params: z.ZodMiniType<ParamsOf<Id>>;
    readonly query: z.ZodMiniType<QueryOf<Id>>;
  };
} = endpoints;

/** As {@link inputs}, for bodies; undefined where there is none to parse. */
export const bodies: {
  readonly [Id in OperationId]: { readonly body: z.ZodMiniType<BodyOf<Id>> | undefined };
} = endpoints;
