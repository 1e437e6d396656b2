import * as z from 'zod/mini';

import { didYouMean } from '../configuration/nearest.ts';
import { EnvironmentName } from '../configuration/secret.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { faultOfCallbackUrl, faultOfPrivateHost } from './destination.ts';

const Text = z.string().check(z.minLength(1));

/** A name that rules compare with, and that people read. */
const Name = z.string().check(
  z.regex(/^[a-z][a-z0-9-]{0,39}$/, {
    error: 'must be a short name in lower-case letters, digits and hyphens: rules and people refer to it.',
  }),
);

const Verifier = z.strictObject({
  name: Name,
  url: Text,
  /** The variable with the secret that questions are signed with, as Standard Webhooks writes it: `whsec_…`. */
  secretEnv: EnvironmentName,
  /** The secret before, while it is being replaced: questions are signed with both. */
  previousSecretEnv: z.optional(EnvironmentName),
  /** The roles, and the roles of the teams, that it is asked about; all where neither is named. */
  roles: z.optional(z.array(Text).check(z.minLength(1))),
  teams: z.optional(z.array(Text).check(z.minLength(1))),
});

/** The section `callbacks` of the configuration's file. */
export const CallbackSettings = z.strictObject({
  /** How long all of them together have for their answers. */
  timeoutSeconds: z._default(z.int().check(z.minimum(1), z.maximum(10)), 3),
  /** How long a yes counts; it is asked for again before. */
  trustMinutes: z._default(z.int().check(z.minimum(5), z.maximum(10_080)), 1_440),
  /** Hosts, exactly as they stand in the addresses, that may lie in a private net. */
  allowPrivate: z._default(z.array(Text), []),
  verifiers: z.array(Verifier).check(z.minLength(1), z.maxLength(10)),
});
/** See {@link CallbackSettings}. */
export type CallbackSettings = Readonly<z.infer<typeof CallbackSettings>>;

/** One callback as it is configured. */
export type VerifierSettings = Readonly<z.infer<typeof Verifier>>;

/** Tells what a schema cannot see. */
export function checkCallbacks(
  settings: CallbackSettings,
  complain: (at: readonly string[], message: string | undefined) => void,
): void {
  for (const [index, host] of settings.allowPrivate.entries()) {
    complain(['allowPrivate', String(index)], faultOfPrivateHost(host));
  }
  const names = new Set<string>();
  for (const [index, { name, url }] of settings.verifiers.entries()) {
    const at = ['verifiers', String(index)];
    complain([...at, 'url'], faultOfCallbackUrl(url, settings.allowPrivate));
    if (names.has(name)) complain([...at, 'name'], 'is taken by another callback.');
    names.add(name);
  }
}

/** Roles and teams that a callback is to be asked about and that the catalogue does not have. */
export function unknownToCatalogue(settings: CallbackSettings, catalogue: Catalogue): string[] {
  const roles = catalogue.roles.map(({ id }) => id);
  const teams = catalogue.teams.map(({ name }) => name);
  const strangers = (
    kind: string,
    named: readonly string[] | undefined,
    known: readonly string[],
  ): string[] =>
    (named ?? [])
      .filter((word) => !known.includes(word))
      .map((word) => `there is no ${kind} '${word}'.${didYouMean(word, known)}`);
  return settings.verifiers.flatMap(({ name, roles: ids, teams: names }) =>
    [...strangers('role', ids, roles), ...strangers('team', names, teams)].map(
      (fault) => `callback '${name}': ${fault}`,
    ),
  );
}

/** True where a callback is asked about a role. */
export function isAskedAbout(
  { roles, teams }: VerifierSettings,
  role: { readonly id: string; readonly team: string },
): boolean {
  if (roles === undefined && teams === undefined) return true;
  return roles?.includes(role.id) === true || teams?.includes(role.team) === true;
}
