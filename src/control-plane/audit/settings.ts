import * as z from 'zod/mini';

import { EnvironmentName } from '../configuration/secret.ts';

const Text = z.string().check(z.minLength(1));

const Receiver = z.strictObject({
  url: Text,
  /** Headers that open the receiver's door, as `name=value,other=value`. */
  headersEnv: z.optional(EnvironmentName),
});

const Anchors = z.strictObject({
  everySeconds: z._default(z.int().check(z.minimum(1), z.maximum(3_600)), 60),
  folder: z.optional(Text),
  webhook: z.optional(Receiver),
  standardOutput: z._default(z.boolean(), false),
});

/** The section `audit` of the configuration's file. */
export const AuditSettings = z.strictObject({
  anchors: z._default(Anchors, Anchors.parse({})),
  openTelemetry: z.optional(Receiver),
});

/** A server that is sent something by HTTP. */
export interface ReceiverConfiguration {
  readonly url: string;
  /** The environment variable that holds the headers which open its door. */
  readonly headersEnv?: string | undefined;
}

/** Where the audit trail, and signed words on it, are kept besides the store. */
export interface AuditConfiguration {
  readonly anchors: {
    /** How often the chain is anchored, where it has moved. What is behind the last anchor could be cut off unseen. */
    readonly everySeconds: number;
    /** Absolute. */
    readonly folder?: string | undefined;
    readonly webhook?: ReceiverConfiguration | undefined;
    readonly standardOutput: boolean;
  };
  /** A receiver of OpenTelemetry logs (OTLP/HTTP, JSON). */
  readonly openTelemetry?: ReceiverConfiguration | undefined;
}
