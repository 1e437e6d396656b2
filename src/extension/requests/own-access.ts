import { randomUUID } from 'node:crypto';

import * as vscode from 'vscode';

import { CancelledError, OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import { samePrincipal } from '../../domain/principal.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { GrantView, RequestView, RoleView } from '../../protocol/schemas.ts';
import type { Clock } from '../../domain/time.ts';
import { notSignedIn } from '../../identity/index.ts';
import { type AccessData, isOpenRequest } from '../access-view/access-data.ts';
import type { AccessModel } from '../access-view/access-model.ts';
import type { WorkspaceRef } from '../access-view/access-nodes.ts';
import { changeAccess } from '../access-view/change-access.ts';
import { canBeExtended, canBeReturned } from '../access-view/node-capabilities.ts';
import { waitsFor } from '../access-view/node-words.ts';
import type { Reader } from '../reader.ts';
import type { AssetNode } from '../access-view/seen-rights.ts';
import { choose } from '../commands/choose.ts';
import { withCancellableProgress } from '../commands/progress.ts';
import { durationWords } from '../time-words.ts';
import { type RequestDraft, toRequestCreate } from './request-draft.ts';
import { openCode } from './open-code.ts';
import type { RequestMemory } from './request-memory.ts';
import type { WizardStart } from './request-wizard.ts';

/** What a person does with their own access. */
export interface OwnAccess {
  /** @param purpose What is known of what it is for. */
  request(role: RoleView | undefined, purpose?: string): Promise<void>;
  /** Finds the smallest role that gives what is needed, on the asset of a line or one to choose, and asks for it. */
  findRole(line: AssetNode | undefined): Promise<void>;
  cancel(request: RequestView | undefined): Promise<void>;
  /** One click: by the role's usual window, as far as it fits. A lead does it for their team as well. */
  extend(grant: GrantView | undefined): Promise<void>;
  giveBack(grant: GrantView | undefined): Promise<void>;
}

/** What {@link ownAccess} needs. */
export interface OwnAccessOptions {
  readonly client: () => ControlPlaneClient;
  readonly model: AccessModel;
  readonly memory: RequestMemory;
  readonly workspaces: () => readonly WorkspaceRef[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Wires {@link OwnAccess} to the control plane of whoever is signed in. */
export function ownAccess({ client, model, memory, workspaces, clock, logger }: OwnAccessOptions): OwnAccess {
  const send = async (draft: RequestDraft): Promise<void> => {
    const request = await withCancellableProgress(
      vscode.l10n.t('Asking for {0}', draft.role.title),
      (signal) =>
        client().call('createRequest', {
          body: toRequestCreate(draft),
          idempotencyKey: draft.idempotencyKey,
          signal,
        }),
    );
    await model.reload();
    if (request.state !== 'approved' || request.grantId === null) {
      void vscode.window.showInformationMessage(sentWords(request));
      return;
    }
    const { grantId } = request;
    await withCancellableProgress(sentWords(request), (signal) => settled(model, grantId, signal));
  };

  const known = async (): Promise<AccessData> => {
    if (model.data === undefined) await model.reload();
    if (model.data === undefined) throw unknownAccess(model);
    return model.data;
  };

  /** What policy says to just this; to an ordinary request for the role, where the control plane cannot tell. */
  const outlook: WizardStart['outlook'] = async ({ role, minutes, purpose, ticket }) => {
    try {
      return await client().call('getOutlook', {
        params: { id: role.id },
        query: {
          minutes: String(minutes),
          ticket: ticket === undefined ? 'false' : 'true',
          purposeCharacters: String([...purpose].length),
        },
        signal: AbortSignal.timeout(OUTLOOK_WITHIN_MS),
      });
    } catch {
      return role;
    }
  };

  const request = async (role: RoleView | undefined, purpose?: string): Promise<void> => {
    const data = await known();
    // The role may have changed since its line was drawn.
    const current = role === undefined ? undefined : (data.roles.find(({ id }) => id === role.id) ?? role);
    const code = openCode(logger);
    const { askForRequest } = await import('./request-wizard.ts');
    const draft = await askForRequest({ data, role: current, purpose, memory, outlook, code });
    await memory.remember(data.me, draft.role.id, { purpose: draft.purpose, minutes: draft.minutes });
    await sendUntilSettled(() => send(draft), model);
  };

  return {
    request,

    async findRole(line) {
      await known();
      const reader = (): Reader => ({
        l10n: vscode.l10n,
        locale: vscode.env.language,
        nowMs: clock.nowMs(),
      });
      const { findRole } = await import('./find-role.ts');
      const { role } = await findRole({ model, workspaces: workspaces(), reader }, line);
      await request(role);
    },

    async cancel(request) {
      const chosen =
        request ??
        (await choose(
          (model.data?.requests ?? []).filter(isOpenRequest),
          ({ role, purpose }) => ({ label: role.title, detail: purpose }),
          vscode.l10n.t('Which request do you take back?'),
          vscode.l10n.t('None of your requests waits for anybody.'),
        ));
      const idempotencyKey = randomUUID();
      await changeAccess(
        model,
        vscode.l10n.t('Taking back your request for {0}', chosen.role.title),
        (signal) =>
          client().call('cancelRequest', {
            params: { id: chosen.id },
            idempotencyKey,
            signal,
          }),
      );
    },

    async extend(grant) {
      const chosen =
        grant ??
        (await choose(
          (model.data?.grants ?? []).filter(canBeExtended),
          ({ role, purpose }) => ({ label: role.title, detail: purpose }),
          vscode.l10n.t('Which access do you extend?'),
          vscode.l10n.t('You hold nothing that could be extended.'),
        ));
      const idempotencyKey = randomUUID();
      const request = await changeAccess(model, vscode.l10n.t('Extending {0}', chosen.role.title), (signal) =>
        client().call('extendGrant', { params: { id: chosen.id }, body: {}, idempotencyKey, signal }),
      );
      if (request.state !== 'approved') {
        void vscode.window.showInformationMessage(sentWords(request));
      } else if (model.data !== undefined && !samePrincipal(chosen.principal, model.data.me)) {
        // One's own announces itself.
        void vscode.window.showInformationMessage(
          vscode.l10n.t('Extended for {0}: {1}.', chosen.principal.displayName, chosen.role.title),
        );
      }
    },

    async giveBack(grant) {
      const chosen =
        grant ??
        (await choose(
          (model.data?.grants ?? []).filter(canBeReturned),
          ({ role, purpose }) => ({ label: role.title, detail: purpose }),
          vscode.l10n.t('Which access do you give back?'),
          vscode.l10n.t('You hold nothing that could be given back.'),
        ));
      const yes = vscode.l10n.t('Return Access');
      const choice = await vscode.window.showWarningMessage(
        vscode.l10n.t('Give back {0} now?', chosen.role.title),
        {
          modal: true,
          detail: vscode.l10n.t('It ends now, also for what still runs with it. You can ask for it again.'),
        },
        yes,
      );
      if (choice !== yes) throw new CancelledError();
      const idempotencyKey = randomUUID();
      await changeAccess(model, vscode.l10n.t('Giving back {0}', chosen.role.title), (signal) =>
        client().call('returnGrant', {
          params: { id: chosen.id },
          idempotencyKey,
          signal,
        }),
      );
    },
  };
}

/** Nobody waits longer for what is only shown, in milliseconds. */
const OUTLOOK_WITHIN_MS = 3_000;

/** Waits until Databricks has been written to for a grant, or until nobody wants to watch. */
function settled(model: AccessModel, grantId: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      const grant = model.data?.grants.find(({ id }) => id === grantId);
      if (!signal.aborted && (grant?.state === 'scheduled' || grant?.state === 'provisioning')) return;
      watch.dispose();
      resolve();
    };
    const watch = model.onDidChange(look);
    signal.addEventListener('abort', look, { once: true });
    look();
  });
}

/**
 * Sends a request; where the network failed the person may send it again, with the same key, so that it has one
 * effect even if the first one arrived.
 */
async function sendUntilSettled(send: () => Promise<void>, model: AccessModel): Promise<void> {
  for (;;) {
    try {
      await send();
      return;
    } catch (error) {
      void model.reload();
      if (!(error instanceof OamError) || !MAY_HAVE_ARRIVED.has(error.code)) throw error;
      const again = vscode.l10n.t('Send Again');
      const choice = await vscode.window.showErrorMessage(
        vscode.l10n.t(
          'The request may not have arrived. Sending it again asks only once. ({0})',
          error.message,
        ),
        again,
      );
      if (choice !== again) return;
    }
  }
}

const MAY_HAVE_ARRIVED = new Set([
  'unreachable',
  'timed_out',
  'store_unavailable',
  'internal',
  'audit_unavailable',
]);

function sentWords(request: RequestView): string {
  const { l10n } = vscode;
  const { title } = request.role;
  switch (request.state) {
    case 'pending':
    case 'awaiting_requester':
      return l10n.t('Sent: {0} waits for {1}.', title, waitsFor(l10n, request));
    case 'approved':
      return l10n.t(
        'Granted: {0} is being set up and lasts {1} from then on.',
        title,
        durationWords(l10n, request.minutes),
      );
    case 'denied':
      return l10n.t('Denied: {0}. {1}', title, request.because.join(' '));
    case 'cancelled':
    case 'lapsed':
      return l10n.t('The request for {0} is closed. Ask again if you still need it.', title);
  }
}

function unknownAccess(model: AccessModel): unknown {
  return model.state.kind === 'failed' ? model.state.error : notSignedIn();
}
