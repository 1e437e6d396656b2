import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { CallbackSettings } from '../../../../src/control-plane/callbacks/settings.ts';
import type { CallbackKeys } from '../../../../src/control-plane/callbacks/keys.ts';
import { loadPolicy } from '../../../../src/control-plane/policy/publish.ts';
import type { PolicyVersion } from '../../../../src/control-plane/policy/version.ts';
import { signingKey } from '../../../../src/control-plane/webhooks/signature.ts';

/** The role that a confirmed ticket opens at once, and that a lead opens without one. */
export const ROLE = 'recsys-model-promote';

export const SECRET = `whsec_${randomBytes(32).toString('base64')}`;

const RULES = `
@id("promote-with-a-ticket")
@because("A ticket that 'tickets' confirms opens the promotion at once.")
permit (principal, action == Action::"request.at_once", resource == Role::"${ROLE}")
when { context.verified.contains("tickets") };
@id("emergency-with-a-ticket")
@because("In an emergency the ticket must be confirmed.")
forbid (principal, action == Action::"request.break_glass", resource == Role::"${ROLE}")
unless { context.verified.contains("tickets") };
`;

/** The demo's policy, with rules that ask for a confirmed ticket. */
export async function policyWithTickets(
  workspaces: { readonly prod: { readonly host: string }; readonly dev: { readonly host: string } },
  rules = RULES,
): Promise<PolicyVersion> {
  const folder = await mkdtemp(join(tmpdir(), 'oam-ticket-policy-'));
  try {
    await cp(resolve('demo/policy'), folder, { recursive: true });
    await writeFile(join(folder, 'tickets.cedar'), rules);
    return await loadPolicy(folder, {
      OAM_WORKSPACE_PROD: workspaces.prod.host,
      OAM_WORKSPACE_DEV: workspaces.dev.host,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Callbacks at addresses of this machine, all with the one secret. */
export function askedAt(
  urls: Readonly<Record<string, string>>,
  more: Partial<CallbackSettings> = {},
): { settings: CallbackSettings; keys: CallbackKeys } {
  const settings = CallbackSettings.parse({
    timeoutSeconds: 2,
    allowPrivate: ['127.0.0.1'],
    verifiers: Object.entries(urls).map(([name, url]) => ({ name, url, secretEnv: 'UNUSED', roles: [ROLE] })),
    ...more,
  });
  return {
    settings,
    keys: new Map(Object.keys(urls).map((name) => [name, [signingKey(SECRET, 'UNUSED')]])),
  };
}
