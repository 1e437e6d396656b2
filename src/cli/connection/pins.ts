import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { DATABRICKS_CLI_CLIENT_ID } from '../../databricks/index.ts';
import { OamError } from '../../domain/errors.ts';
import type { Configuration } from '../../protocol/configuration.ts';
import { oneLine } from '../table.ts';

const Pin = z.object({
  issuer: z.string(),
  clientId: z.string(),
  audience: z.string(),
  workspaces: z.record(z.string(), z.string()),
  /** By workspace; those that are not here exchange ID tokens. */
  signIns: z.optional(z.record(z.string(), z.string())),
  databricksAttribute: z.optional(z.string()),
});
type Pin = z.infer<typeof Pin>;

/** For whom a session is good. */
const PARTIES = ['issuer', 'clientId', 'audience'] as const;
/** The identity provider and the client that a control plane named. */
export type PinnedIdentity = Pick<Pin, (typeof PARTIES)[number]>;

const Pins = z.record(z.string(), Pin);

/** What {@link checkPin} needs. */
export interface PinCheck {
  readonly folder: string;
  readonly controlPlaneUrl: string;
  readonly configuration: Configuration;
  /** The person has seen what changed and agrees. */
  readonly acceptChange: boolean;
}

/**
 * Holds a control plane to what it said when it was first used: whom to sign in at, as which client, and which
 * workspaces there are. Somebody who takes it over cannot quietly send sign-ins elsewhere.
 *
 * @returns whom it named before, where the person agreed that it is somebody else now.
 * @throws {OamError} `configuration_changed`, with old and new, unless the change is accepted; `workspaces_ambiguous`.
 */
export async function checkPin(check: PinCheck): Promise<PinnedIdentity | undefined> {
  refuseAmbiguous(check.configuration);
  const pins = await readPins(check.folder);
  const now = pinOf(check.configuration);
  const before = pins[check.controlPlaneUrl];
  const changes = before === undefined ? [] : changesBetween(before, now);
  if (changes.length > 0 && !check.acceptChange) {
    throw new OamError(
      'configuration_changed',
      'The control plane says something else than when you first used it, so nothing was sent. If that was announced to you, run the command again with --accept-change.',
      { detail: changes.join('\n') },
    );
  }
  if (before === undefined || changes.length > 0) {
    await writePins(check.folder, { ...pins, [check.controlPlaneUrl]: now });
  }
  return before !== undefined && PARTIES.some((party) => before[party] !== now[party]) ? before : undefined;
}

/** Workspaces are pinned and chosen by name: a second one of the same name would hide behind the first. */
function refuseAmbiguous({ workspaces }: Configuration): void {
  const names = workspaces.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new OamError(
    'workspaces_ambiguous',
    'The control plane gives two workspaces the same name, so nothing was sent. Tell the administrator of OAM.',
    { detail: oneLine(twice) },
  );
}

/** Whom a control plane named for sign-in when it was first used, without asking it; undefined before that. */
export async function pinnedIdentity(
  folder: string,
  controlPlaneUrl: string,
): Promise<PinnedIdentity | undefined> {
  return (await readPins(folder))[controlPlaneUrl];
}

function pinOf({ identity, workspaces }: Configuration): Pin {
  return {
    issuer: identity.issuer,
    clientId: identity.clientId,
    audience: identity.audience,
    workspaces: Object.fromEntries(workspaces.map(({ name, host }) => [name, host])),
    signIns: Object.fromEntries(
      workspaces
        .filter(({ tokenSource }) => tokenSource === 'databricks-sign-in')
        .map(({ name, signInClient = DATABRICKS_CLI_CLIENT_ID }) => [name, signInClient]),
    ),
    databricksAttribute: identity.databricksAttribute ?? 'externalId',
  };
}

function changesBetween(before: Pin, now: Pin): string[] {
  const changes: string[] = [];
  const compare = (what: string, old: string | undefined, fresh: string | undefined): void => {
    if (old !== fresh) changes.push(oneLine(`${what}: ${old ?? '(none)'} → ${fresh ?? '(none)'}`));
  };
  compare('issuer', before.issuer, now.issuer);
  compare('client', before.clientId, now.clientId);
  compare('audience', before.audience, now.audience);
  if (before.databricksAttribute !== undefined) {
    compare('how you are found in Databricks', before.databricksAttribute, now.databricksAttribute);
  }
  for (const name of new Set([...Object.keys(before.workspaces), ...Object.keys(now.workspaces)])) {
    compare(`workspace ${name}`, before.workspaces[name], now.workspaces[name]);
    compare(`sign-in to Databricks in ${name}`, before.signIns?.[name], now.signIns?.[name]);
  }
  return changes;
}

const FILE = 'control-planes.json';

async function readPins(folder: string): Promise<z.infer<typeof Pins>> {
  const file = join(folder, FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // No file, or a home that is none and can hold no file.
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(code)) return {};
    throw unreadable(file, error);
  }
  try {
    return Pins.parse(JSON.parse(text));
  } catch (error) {
    // Starting afresh would trust whoever damaged it.
    throw unreadable(file, error);
  }
}

function unreadable(file: string, cause: unknown): OamError {
  return new OamError(
    'pins_unreadable',
    'The record of the control planes that you use cannot be read. Mend or delete the file, then try again.',
    { detail: file, cause },
  );
}

const NOT_WRITABLE = [
  ...['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG'],
  ...['ENOSPC', 'EDQUOT'],
];

/** Where nothing can be written (a container's read-only home, a full disk) each use is the first one. */
async function writePins(folder: string, pins: z.infer<typeof Pins>): Promise<void> {
  const draft = join(folder, `${FILE}.${randomUUID()}`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(draft, JSON.stringify(pins, undefined, 2), { mode: 0o600 });
    await rename(draft, join(folder, FILE));
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!NOT_WRITABLE.includes(code)) throw error;
  }
}
