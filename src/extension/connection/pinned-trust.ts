import * as z from 'zod/mini';

import {
  type Configuration,
  IdentityConfiguration,
  SessionLimits,
  WorkspaceConfiguration,
} from '../../protocol/configuration.ts';
import type { Localise } from '../localise.ts';

/**
 * Whom a person's sign-in is shown to, as the control plane named them on first use. A control plane is not
 * believed about this a second time: a change asks the person.
 */
export const PinnedTrust = z.object({
  identity: IdentityConfiguration,
  workspaces: z.array(WorkspaceConfiguration),
  /** Not part of the agreement: a company may change it without asking. */
  sessions: z.optional(z.union([SessionLimits, z.undefined()])),
});
/** See {@link PinnedTrust}. */
export type PinnedTrust = z.infer<typeof PinnedTrust>;

/** The part of VS Code's memento that pins are kept in. */
export interface PinMemento {
  get(key: string): unknown;
  update(key: string, value: unknown): PromiseLike<void>;
}

/** Keeps one pin for each control plane. */
export class PinBoard {
  readonly #memento: PinMemento;

  constructor(memento: PinMemento) {
    this.#memento = memento;
  }

  /** What is pinned for a control plane; undefined before its first use, and where what is stored is not a pin. */
  read(controlPlaneUrl: string): PinnedTrust | undefined {
    const parsed = PinnedTrust.safeParse(this.#memento.get(keyOf(controlPlaneUrl)));
    return parsed.success ? parsed.data : undefined;
  }

  async write(controlPlaneUrl: string, pin: PinnedTrust): Promise<void> {
    await this.#memento.update(keyOf(controlPlaneUrl), pin);
  }
}

function keyOf(controlPlaneUrl: string): string {
  return `pin:${controlPlaneUrl}`;
}

/** The part of a configuration that is pinned. */
export function trustOf(configuration: Configuration): PinnedTrust {
  const { issuer, clientId, audience, scopes, subjectClaim, databricksAttribute } = configuration.identity;
  return {
    identity: {
      ...{ issuer, clientId, audience, scopes: [...scopes] },
      ...(subjectClaim !== undefined && { subjectClaim }),
      ...(databricksAttribute !== undefined && { databricksAttribute }),
    },
    workspaces: configuration.workspaces.map(({ name, host, tokenSource, signInClient }) => ({
      ...{ name, host },
      ...(tokenSource !== undefined && { tokenSource }),
      ...(signInClient !== undefined && { signInClient }),
    })),
    ...(configuration.sessions && { sessions: configuration.sessions }),
  };
}

/** One thing that differs from the pin. */
export interface TrustChange {
  readonly what: 'issuer' | 'clientId' | 'audience' | 'databricksAttribute' | 'workspaces';
  readonly old: string;
  readonly new: string;
}

/** What differs, in a fixed order; the order of workspaces and scopes does not count. */
export function trustChanges(pinned: PinnedTrust, offered: PinnedTrust): TrustChange[] {
  const changes: TrustChange[] = [];
  for (const what of ['issuer', 'clientId', 'audience'] as const) {
    if (pinned.identity[what] !== offered.identity[what]) {
      changes.push({ what, old: pinned.identity[what], new: offered.identity[what] });
    }
  }
  const linked = pinned.identity.databricksAttribute;
  const link = offered.identity.databricksAttribute ?? 'externalId';
  if (linked !== undefined && linked !== link) {
    changes.push({ what: 'databricksAttribute', old: linked, new: link });
  }
  const [old, next] = [listOf(pinned), listOf(offered)];
  if (old !== next) changes.push({ what: 'workspaces', old, new: next });
  return changes;
}

/** What is agreed, where nothing differs: with what may change without asking, and what an older pin does not have. */
export function agreedStill(pinned: PinnedTrust, offered: PinnedTrust): PinnedTrust {
  const { databricksAttribute = offered.identity.databricksAttribute, ...identity } = pinned.identity;
  return {
    ...pinned,
    identity: { ...identity, ...(databricksAttribute !== undefined && { databricksAttribute }) },
    sessions: offered.sessions,
  };
}

/** True where a session made under the one cannot be used under the other. */
export function needsNewSession(changes: readonly TrustChange[]): boolean {
  return changes.some(({ what }) => what !== 'workspaces' && what !== 'databricksAttribute');
}

function listOf(trust: PinnedTrust): string {
  return trust.workspaces
    .map(({ name, host, tokenSource, signInClient }) =>
      [name, host, ...(tokenSource === 'databricks-sign-in' ? [tokenSource, signInClient ?? ''] : [])]
        .filter((part) => part !== '')
        .join(' '),
    )
    .sort()
    .join(', ');
}

/** The changes for a person to read, old and new. */
export function trustChangeWords(l10n: Localise, changes: readonly TrustChange[]): string {
  const names = {
    issuer: l10n.t('Identity provider'),
    clientId: l10n.t('Client'),
    audience: l10n.t('Audience'),
    databricksAttribute: l10n.t('How you are found in Databricks'),
    workspaces: l10n.t('Workspaces'),
  };
  return changes
    .map((change) =>
      [
        names[change.what],
        l10n.t('Until now: {0}', change.old || l10n.t('none')),
        l10n.t('From now on: {0}', change.new || l10n.t('none')),
      ].join('\n'),
    )
    .join('\n\n');
}
