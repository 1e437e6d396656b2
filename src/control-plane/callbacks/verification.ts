import type { Evidence } from '../../domain/evidence.ts';

/** What is known of a wish before it is put before policy: what callbacks said, where they were asked. */
export interface Verification {
  /** The id of the request, if it comes to one. */
  readonly requestId: string;
  readonly evidence: readonly Evidence[];
}
