import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import { latestGrant } from '../../protocol/latest-grant.ts';
import type { GrantView, RoleView } from '../../protocol/schemas.ts';
import type { WindowClaims } from '../expiry/window-claims.ts';
import { forNotice } from '../plain-text.ts';
import { commandId } from '../product.ts';
import { instantWords, momentWords } from '../time-words.ts';
import type { Notice } from './access-data.ts';
import { speakerWords } from './approver-words.ts';
import { outlivingWords } from './node-words.ts';

/** What {@link showNotice} needs. */
export interface NoticeSurroundings {
  readonly client: ControlPlaneClient;
  readonly clock: Clock;
  readonly claims: WindowClaims;
  /** The roles that the person may ask for. */
  readonly roles: readonly RoleView[];
}

/** Tells a person what happened to their access while they looked elsewhere. */
export async function showNotice(
  notice: Notice,
  { client, clock, claims, roles }: NoticeSurroundings,
): Promise<void> {
  const { l10n } = vscode;
  const at = (timestamp: string | null): string =>
    timestamp === null ? '' : momentWords(vscode.env.language, Date.parse(timestamp), clock.nowMs());
  switch (notice.kind) {
    case 'grantActive': {
      const { grant } = notice;
      void vscode.window.showInformationMessage(
        // One line: more would be cut, until somebody points at it.
        grant.extends === null
          ? l10n.t('Active until {0}: {1}.', at(grant.endsAt), grant.role.title)
          : l10n.t('Extended until {0}: {1}.', at(grant.endsAt), grant.role.title),
      );
      return;
    }
    case 'grantFailed':
      await offerAgain(
        vscode.window.showErrorMessage,
        l10n.t(
          'Databricks could not be made to give you {0}, and nothing is left of it. Ask again, or ask your platform team. ({1})',
          notice.grant.role.title,
          notice.grant.trouble ?? l10n.t('no reason was given'),
        ),
        notice.grant.role.id,
        roles,
      );
      return;
    case 'grantGone': {
      const grant = await latestGrant(client, notice.grantId);
      if (grant.state === 'ended') await showEnded(grant, endedWords(grant, at), { claims, roles });
      return;
    }
    case 'brokeGlass':
      await tellOfEmergency(notice.grant);
      return;
    case 'requestDenied': {
      const denial = notice.request.approvals.find(({ verdict }) => verdict === 'denied');
      void vscode.window.showWarningMessage(
        denial === undefined
          ? l10n.t('Denied: {0}. {1}', notice.request.role.title, notice.request.because.join(' '))
          : l10n.t(
              'Denied by {0}: {1}. {2}',
              speakerWords(l10n, denial),
              notice.request.role.title,
              forNotice(denial.comment ?? ''),
            ),
      );
      return;
    }
    case 'requestLapsed':
      await offerAgain(
        vscode.window.showWarningMessage,
        l10n.t(
          'Nobody answered your request for {0} in time. Ask again if you still need it.',
          notice.request.role.title,
        ),
        notice.request.role.id,
        roles,
      );
      return;
  }
}

async function tellOfEmergency(grant: GrantView): Promise<void> {
  const { l10n } = vscode;
  const review = l10n.t('Review…');
  const revoke = l10n.t('Revoke…');
  const choice = await vscode.window.showWarningMessage(
    l10n.t(
      '{0} took {1} in an emergency, without approval: {2}',
      forNotice(grant.principal.displayName),
      grant.role.title,
      forNotice(grant.purpose),
    ),
    review,
    revoke,
  );
  if (choice === review) await vscode.commands.executeCommand(commandId('review'), { grant });
  if (choice === revoke) await vscode.commands.executeCommand(commandId('revoke'), { grant });
}

/** In one of the person's windows; where it was not they who ended it, with the way to have it again. */
async function showEnded(
  grant: GrantView,
  text: string,
  { claims, roles }: Pick<NoticeSurroundings, 'claims' | 'roles'>,
): Promise<void> {
  if (!(await claims.claim(`${grant.id}/ended`))) return;
  if (grant.endReason === 'returned') {
    void vscode.window.showInformationMessage(text);
    return;
  }
  await offerAgain(vscode.window.showWarningMessage, text, grant.role.id, roles);
}

/** Says that somebody has a role no more, or did not get it, with the way to ask for it again. */
async function offerAgain(
  show: (text: string, button: string) => Thenable<string | undefined>,
  text: string,
  roleId: string,
  roles: readonly RoleView[],
): Promise<void> {
  const again = vscode.l10n.t('Request Access');
  if ((await show(text, again)) !== again) return;
  const role = roles.find(({ id }) => id === roleId);
  await vscode.commands.executeCommand(commandId('requestAccess'), role && { role });
}

function revokedWords({ revocation, role: { title } }: GrantView): string {
  const { l10n } = vscode;
  const { by = null, reason = null } = revocation ?? {};
  const ended =
    by === null
      ? l10n.t('Revoked: {0}.', title)
      : l10n.t('Revoked by {0}: {1}.', forNotice(by.displayName), title);
  return reason === null ? ended : `${ended} ${sentence(forNotice(reason))}`;
}

/** What somebody wrote, so that what follows does not run into it. */
function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

function endedWords(grant: GrantView, at: (timestamp: string | null) => string): string {
  const { l10n } = vscode;
  const { title } = grant.role;
  const ended = ((): string => {
    switch (grant.endReason) {
      case 'returned':
        return l10n.t('Given back: {0}.', title);
      case 'revoked':
        return revokedWords(grant);
      case 'expired':
      case 'extended':
      case null:
        return l10n.t('Ended: {0}.', title);
    }
  })();
  const removed =
    grant.membershipAbsentAt === null
      ? ''
      : ` ${l10n.t('Removed at {0}.', instantWords(vscode.env.language, Date.parse(grant.membershipAbsentAt)))}`;
  const residue = grant.outlives === null ? '' : ` ${outlivingWords(l10n, grant.outlives, at)}`;
  return ended + removed + residue;
}
