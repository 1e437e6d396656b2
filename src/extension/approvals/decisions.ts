import { randomUUID } from 'node:crypto';

import * as vscode from 'vscode';

import { CancelledError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Clock } from '../../domain/time.ts';
import type { BackgroundView } from '../../protocol/background.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { GrantView, RequestView } from '../../protocol/schemas.ts';
import { isOpenRequest } from '../access-view/access-data.ts';
import type { AccessModel } from '../access-view/access-model.ts';
import { changeAccess } from '../access-view/change-access.ts';
import { canBeReturned } from '../access-view/node-capabilities.ts';
import type { Reader } from '../reader.ts';
import { choose } from '../commands/choose.ts';
import { withCancellableProgress } from '../commands/progress.ts';
import { ask, BACK } from '../commands/steps.ts';
import { forNotice } from '../plain-text.ts';
import { minutesFault, parseMinutes } from '../requests/request-draft.ts';
import type { TeamData } from '../team/team-data.ts';
import { durationWords } from '../time-words.ts';
import { requestLines } from './approval-words.ts';
import { faultOfReason } from './reasons.ts';
import { readBackground, type RequestDocuments } from './request-documents.ts';
import { stateWords } from './request-link.ts';

/** An approver's words on requests, and a lead's on their team's access. */
export interface Decisions {
  /** Opens all that is known of a request, to read. */
  show(request: RequestView | undefined, documents: Pick<RequestDocuments, 'show'>): Promise<void>;
  approve(request: RequestView | undefined): Promise<void>;
  deny(request: RequestView | undefined): Promise<void>;
  revoke(grant: GrantView | undefined): Promise<void>;
}

/** Wires {@link Decisions} to the control plane of whoever is signed in. */
export function decisions(
  client: () => ControlPlaneClient,
  model: Pick<AccessModel, 'data' | 'reload'>,
  team: () => Promise<Pick<TeamData, 'grants'>>,
  clock: Clock,
  logger: Logger,
): Decisions {
  const chooseRequest = (): Promise<RequestView> =>
    choose(
      model.data?.toApprove ?? [],
      ({ requester, role, purpose }) => ({
        label: `${requester.displayName}: ${role.title}`,
        detail: purpose,
      }),
      vscode.l10n.t('Which request?'),
      vscode.l10n.t('No request waits for your approval.'),
    );

  /**
   * The present version of a request: what is shown is what is decided on, even if its line is old, and a second try
   * after somebody else's change begins with that change.
   */
  const fresh = async ({ id }: RequestView): Promise<RequestView> => {
    const request = await withCancellableProgress(vscode.l10n.t('Reading the request'), (signal) =>
      client().call('getRequest', { params: { id }, signal }),
    );
    if (isOpenRequest(request)) return request;
    void vscode.window.showInformationMessage(forNotice(stateWords(vscode.l10n, request)));
    await model.reload();
    throw new CancelledError();
  };

  const backgroundOf = ({ id }: RequestView): Promise<BackgroundView | undefined> =>
    withCancellableProgress(vscode.l10n.t('Reading the request'), (signal) =>
      readBackground(client(), id, logger, signal),
    );

  return {
    async show(asked, documents) {
      await documents.show(asked ?? (await chooseRequest()));
    },

    async approve(asked) {
      const request = await fresh(asked ?? (await chooseRequest()));
      const approvedMinutes = await askApproval(request, await backgroundOf(request), clock);
      const idempotencyKey = randomUUID();
      const answer = await changeAccess(
        model,
        vscode.l10n.t('Approving {0} for {1}', request.role.title, request.requester.displayName),
        (signal) =>
          client().call('approveRequest', {
            params: { id: request.id },
            version: request.version,
            body: approvedMinutes === undefined ? {} : { approvedMinutes },
            idempotencyKey,
            signal,
          }),
      );
      void vscode.window.showInformationMessage(
        answer.state === 'approved'
          ? vscode.l10n.t('Approved: {0} gets {1}.', request.requester.displayName, request.role.title)
          : vscode.l10n.t('Your approval is recorded. The request waits for another one.'),
      );
    },

    async deny(asked) {
      const request = await fresh(asked ?? (await chooseRequest()));
      const reason = await askReason(
        vscode.l10n.t('Deny {0}', request.role.title),
        vscode.l10n.t('Why? {0} reads this.', request.requester.displayName),
      );
      const idempotencyKey = randomUUID();
      await changeAccess(model, vscode.l10n.t('Denying {0}', request.role.title), (signal) =>
        client().call('denyRequest', {
          params: { id: request.id },
          version: request.version,
          body: { reason },
          idempotencyKey,
          signal,
        }),
      );
      void vscode.window.showInformationMessage(
        vscode.l10n.t('Denied: {0} does not get {1}.', request.requester.displayName, request.role.title),
      );
    },

    async revoke(asked) {
      const grant =
        asked ??
        (await choose(
          (await team()).grants.filter(canBeReturned),
          ({ principal, role, purpose }) => ({
            label: `${principal.displayName}: ${role.title}`,
            detail: purpose,
          }),
          vscode.l10n.t('Whose access ends?'),
          vscode.l10n.t('Nobody in your teams holds access for a time.'),
        ));
      const reason = await askReason(
        vscode.l10n.t('Revoke {0}', grant.role.title),
        vscode.l10n.t('Why does it end now? {0} reads this.', grant.principal.displayName),
      );
      const idempotencyKey = randomUUID();
      await changeAccess(model, vscode.l10n.t('Revoking {0}', grant.role.title), (signal) =>
        client().call('revokeGrant', {
          params: { id: grant.id },
          body: { reason },
          idempotencyKey,
          signal,
        }),
      );
    },
  };
}

/** The minutes that an approver lowers a window to; undefined for what was asked. */
async function askApproval(
  request: RequestView,
  background: BackgroundView | undefined,
  clock: Clock,
): Promise<number | undefined> {
  const reader: Reader = { l10n: vscode.l10n, locale: vscode.env.language, nowMs: clock.nowMs() };
  const approve = vscode.l10n.t('Approve');
  const less = vscode.l10n.t('Approve for Less Time…');
  const choice = await vscode.window.showInformationMessage(
    vscode.l10n.t('Approve {0} for {1}?', request.role.title, request.requester.displayName),
    { modal: true, detail: requestLines(reader, request, background).join('\n') },
    approve,
    less,
  );
  if (choice === approve) return undefined;
  if (choice !== less) throw new CancelledError();
  const typed = await vscode.window.showInputBox({
    title: vscode.l10n.t('Approve for Less Time'),
    prompt: vscode.l10n.t('For how long? {0} was asked.', durationWords(vscode.l10n, request.minutes)),
    placeHolder: vscode.l10n.t('45m, 2h or 1h 30m'),
    ignoreFocusOut: true,
    validateInput: (text) => (text === '' ? undefined : minutesFault(vscode.l10n, text, request.minutes)),
  });
  const minutes = parseMinutes(typed ?? '');
  if (minutes === undefined) throw new CancelledError();
  return minutes;
}

async function askReason(title: string, prompt: string): Promise<string> {
  const answer = await ask({
    title,
    prompt,
    placeholder: vscode.l10n.t('The ticket is closed'),
    value: '',
    fault: (text) => faultOfReason(vscode.l10n, text),
  });
  if (answer === BACK) throw new CancelledError();
  return answer.trim();
}
