import { createHash } from 'node:crypto';

import * as z from 'zod/mini';

import { apiFailure } from '../http/failures.ts';
import type { Endpoint } from '../seed/assets.ts';

const Input = z.object({
  dataframe_records: z.optional(z.array(z.record(z.string(), z.unknown()))),
  dataframe_split: z.optional(z.object({ data: z.array(z.array(z.unknown())) })),
  inputs: z.optional(z.unknown()),
  instances: z.optional(z.array(z.unknown())),
  messages: z.optional(z.array(z.object({ role: z.string(), content: z.string() }))),
});

/** What an endpoint answers: a score for each row, or a chat completion from Databricks' own endpoints. */
export function predict(endpoint: Endpoint, text: string): object {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw unreadable('Failed to parse the request body as JSON.');
  }
  const parsed = Input.safeParse(json);
  if (!parsed.success) throw unreadable('Invalid input.');
  if (endpoint.id === undefined) return completion(endpoint, parsed.data.messages);
  const rows = rowsOf(parsed.data);
  if (rows === undefined) {
    throw unreadable(
      "Invalid input. The input must contain one of 'dataframe_records', 'dataframe_split', 'instances' or 'inputs'.",
    );
  }
  return { predictions: rows.map((row) => score(endpoint, row)) };
}

function rowsOf(input: z.infer<typeof Input>): readonly unknown[] | undefined {
  if (input.dataframe_records !== undefined) return input.dataframe_records;
  if (input.dataframe_split !== undefined) return input.dataframe_split.data;
  if (input.instances !== undefined) return input.instances;
  return input.inputs === undefined ? undefined : [input.inputs].flat();
}

/** Between 0 and 1, the same for the same row and version of the model. */
function score({ entity, entityVersion }: Endpoint, row: unknown): number {
  const digest = createHash('sha256')
    .update(JSON.stringify([entity, entityVersion, row]))
    .digest();
  return Math.round((digest.readUInt32BE() / 0xffffffff) * 10_000) / 10_000;
}

function completion(endpoint: Endpoint, messages: readonly { content: string }[] | undefined): object {
  const last = messages?.at(-1);
  if (last === undefined) throw unreadable("Missing required Chat parameter: 'messages'");
  const content = `A stand-in has no opinion on ${last.content.length} characters.`;
  return {
    id: `chatcmpl-${createHash('sha256').update(last.content).digest('hex').slice(0, 24)}`,
    object: 'chat.completion',
    model: endpoint.entity,
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: {
      prompt_tokens: last.content.length,
      completion_tokens: 9,
      total_tokens: last.content.length + 9,
    },
  };
}

function unreadable(message: string): Error {
  return apiFailure(400, 'BAD_REQUEST', message);
}
