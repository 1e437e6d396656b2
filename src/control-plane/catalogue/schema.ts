import * as z from 'zod/mini';

import { ASSET_KINDS } from '../../domain/asset-right.ts';
import { DUTIES } from '../../domain/principal.ts';
import { CREDENTIAL_KINDS, SENSITIVITIES, TOKEN_MAX_MINUTES, TOKEN_SOURCES } from '../../domain/role.ts';
import { HELD_MAX_MINUTES, WINDOW_MAX_MINUTES, WINDOW_MIN_MINUTES } from '../../protocol/limits.ts';

const Text = z.string().check(z.minLength(1));

/** Ids travel in addresses, in claims and in the names of rules. */
const Name = z.string().check(
  z.regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, {
    error: 'must be lower-case letters, digits, dots, hyphens and underscores, at most 100 of them.',
  }),
);

/** Rules and stages speak of these names. */
export const AttributeName = z.string().check(
  z.regex(/^[a-z][a-z0-9_-]{0,62}$/, {
    error: 'must be lower-case letters, digits, hyphens and underscores, and begin with a letter.',
  }),
);

/** As Databricks writes levels and privileges. */
const Level = z.string().check(
  z.regex(/^[A-Z][A-Z_]{1,60}$/, {
    error: 'must be a level or privilege as Databricks writes it, such as CAN_QUERY.',
  }),
);

const Minutes = z.int().check(z.minimum(WINDOW_MIN_MINUTES), z.maximum(WINDOW_MAX_MINUTES));

const DEFAULT_TOKEN_MINUTES = 15;

/** `catalogue.yaml` as a person writes it. Unknown keys are refused: a typo must not switch a rule off. */
export const CatalogueFile = z.strictObject({
  workspaces: z
    .array(
      z.strictObject({
        name: Name,
        host: Text,
        tokenSource: z._default(z.enum(TOKEN_SOURCES), 'exchange'),
        signInClient: z.optional(Text),
      }),
    )
    .check(z.minLength(1)),
  /** What rules and stages may speak of besides groups and duty. */
  attributes: z._default(z.array(AttributeName), []),
  teams: z.array(z.strictObject({ name: Name, group: Text, leadGroup: Text })).check(z.minLength(1)),
  roles: z
    .array(
      z.strictObject({
        id: Name,
        title: Text,
        gives: Text,
        workspace: Text,
        team: Text,
        sensitivity: z.enum(SENSITIVITIES),
        credential: z.enum(CREDENTIAL_KINDS),
        group: z.strictObject({ id: Text, name: Text }),
        servicePrincipal: z.optional(z.strictObject({ id: Text, applicationId: Text })),
        maxMinutes: Minutes,
        maxTotalMinutes: z.optional(
          z.int().check(z.minimum(WINDOW_MIN_MINUTES), z.maximum(HELD_MAX_MINUTES)),
        ),
        defaultMinutes: Minutes,
        tokenMinutes: z._default(
          z.int().check(z.minimum(1), z.maximum(TOKEN_MAX_MINUTES)),
          DEFAULT_TOKEN_MINUTES,
        ),
        approval: z.optional(
          z
            .array(
              z.strictObject({
                approverGroups: z.optional(z.array(Text).check(z.minLength(1))),
                approverDuty: z.optional(z.enum(DUTIES)),
                approverAttributes: z.optional(z.record(Text, z.array(Text).check(z.minLength(1)))),
                ofTeam: z._default(z.boolean(), false),
                quorum: z._default(z.int().check(z.minimum(1), z.maximum(10)), 1),
              }),
            )
            .check(z.minLength(1)),
        ),
        probe: z.optional(z.strictObject({ securableType: Text, fullName: Text, privilege: Text })),
        /** What the group carries. Nothing is given by it: it tells people which role is the smallest for their need. */
        rights: z.optional(
          z
            .array(z.strictObject({ kind: z.enum(ASSET_KINDS), name: Text, level: Level }))
            .check(z.minLength(1)),
        ),
      }),
    )
    .check(z.minLength(1)),
});

/** See {@link CatalogueFile}. */
export type CatalogueFile = z.infer<typeof CatalogueFile>;
