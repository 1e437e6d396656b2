import * as z from 'zod/mini';

const DEFAULT_GRACE_MINUTES = 240;

/** The section `reconciler` of the configuration's file. */
export const ReconcilerSettings = z.strictObject({
  /** How often each group is looked at. */
  everySeconds: z._default(z.int().check(z.minimum(1), z.maximum(86_400)), 300),
  /** Groups, by Databricks' id, from which members whom OAM did not add are removed, after a grace. */
  removeStrangersFrom: z._default(
    z.array(
      z.strictObject({
        group: z.string().check(z.minLength(1)),
        graceMinutes: z._default(z.int().check(z.minimum(1), z.maximum(43_200)), DEFAULT_GRACE_MINUTES),
      }),
    ),
    [],
  ),
});

/** See {@link ReconcilerSettings}. */
export type ReconcilerSettings = z.infer<typeof ReconcilerSettings>;
