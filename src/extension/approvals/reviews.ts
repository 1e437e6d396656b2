import { randomUUID } from 'node:crypto';

import * as vscode from 'vscode';

import { CancelledError } from '../../domain/errors.ts';
import type { ReviewVerdict } from '../../domain/review.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import type { AccessModel } from '../access-view/access-model.ts';
import { changeAccess } from '../access-view/change-access.ts';
import { choose } from '../commands/choose.ts';
import { ask, BACK, pick } from '../commands/steps.ts';
import { faultOfReason } from './reasons.ts';

/** Says afterwards what is to be thought of access that somebody took in an emergency. */
export async function reviewAccess(
  client: () => ControlPlaneClient,
  model: Pick<AccessModel, 'data' | 'reload'>,
  asked: GrantView | undefined,
): Promise<void> {
  const grant =
    asked ??
    (await choose(
      model.data?.toReview ?? [],
      ({ principal, role, purpose }) => ({
        label: `${principal.displayName}: ${role.title}`,
        detail: purpose,
      }),
      vscode.l10n.t('Which emergency access?'),
      vscode.l10n.t('No emergency access waits for your review.'),
    ));
  const { verdict, comment } = await askVerdict(grant);
  const idempotencyKey = randomUUID();
  await changeAccess(model, vscode.l10n.t('Reviewing {0}', grant.role.title), (signal) =>
    client().call('reviewGrant', {
      params: { id: grant.id },
      body: { verdict, comment },
      idempotencyKey,
      signal,
    }),
  );
  void vscode.window.showInformationMessage(
    verdict === 'ok'
      ? vscode.l10n.t('Reviewed: {0} was right to take {1}.', grant.principal.displayName, grant.role.title)
      : vscode.l10n.t(
          'Reviewed: {0} misused {1}. Revoke it if it still lasts.',
          grant.principal.displayName,
          grant.role.title,
        ),
  );
}

interface Review {
  readonly verdict: ReviewVerdict;
  readonly comment: string;
}

async function askVerdict(grant: GrantView): Promise<Review> {
  const title = vscode.l10n.t('Review {0} of {1}', grant.role.title, grant.principal.displayName);
  const items: readonly (vscode.QuickPickItem & { readonly verdict: ReviewVerdict })[] = [
    {
      verdict: 'ok',
      label: vscode.l10n.t('$(pass) It was right'),
      detail: vscode.l10n.t('There was an emergency, and the access was used for it.'),
    },
    {
      verdict: 'misuse',
      label: vscode.l10n.t('$(warning) It was misused'),
      detail: vscode.l10n.t('There was no emergency, or the access was used for something else.'),
    },
  ];
  for (;;) {
    const picked = await pick({
      title,
      placeholder: vscode.l10n.t('They said: {0}', grant.purpose),
      items,
      active: undefined,
      ...{ step: 1, steps: 2 },
    });
    if (picked === BACK) throw new CancelledError();
    const comment = await ask({
      title,
      prompt: vscode.l10n.t(
        'Why do you think so? {0} and the auditors read this.',
        grant.principal.displayName,
      ),
      placeholder: vscode.l10n.t('Agreed on the phone at the time'),
      value: '',
      fault: (text) => faultOfReason(vscode.l10n, text),
      ...{ step: 2, steps: 2, hasBack: true },
    });
    if (comment !== BACK) return { verdict: picked.verdict, comment: comment.trim() };
  }
}
