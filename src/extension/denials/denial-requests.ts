import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import type { AccessModel } from '../access-view/access-model.ts';
import { EXTENSION, OFFER_ON_DENIAL } from '../product.ts';
import type { OwnAccess } from '../requests/own-access.ts';
import { outlookSentence } from '../requests/request-draft.ts';
import { DenialOffers, type Remedy, remedyFor } from './denial-offers.ts';
import type { DenialListener } from './watch-denials.ts';

/** What {@link denialRequests} needs. */
export interface DenialRequestsOptions {
  readonly model: Pick<AccessModel, 'data'>;
  readonly clock: Clock;
  readonly own: Pick<OwnAccess, 'request'>;
  /** Does something that may fail, and tells the person where it does. */
  readonly run: (work: () => Promise<void>) => void;
}

/** Turns refusals of Databricks into requests for the smallest role that would have allowed what was refused. */
export function denialRequests({ model, clock, own, run }: DenialRequestsOptions): DenialListener {
  const settings = () => vscode.workspace.getConfiguration(EXTENSION);
  const ask = ({ role, need }: Extract<Remedy, { kind: 'ask' }>, program: string | undefined) =>
    own.request(role, purposeFor(program, need.name));

  const offers = new DenialOffers({
    data: () => model.data,
    clock,
    isWanted: () => settings().get<boolean>(OFFER_ON_DENIAL, true),
    offer: (remedy, program) => {
      run(async () => {
        const request = vscode.l10n.t('Request Access');
        const never = vscode.l10n.t("Don't Ask Again");
        const choice = await vscode.window.showInformationMessage(
          vscode.l10n.t(
            'Databricks refused access to {0}. “{1}” would allow it. {2}',
            remedy.need.name,
            remedy.role.title,
            outlookSentence(vscode.l10n, remedy.role),
          ),
          request,
          never,
        );
        if (choice === request) await ask(remedy, program);
        if (choice === never) {
          await settings().update(OFFER_ON_DENIAL, false, vscode.ConfigurationTarget.Global);
        }
      });
    },
  });

  return {
    saw: (refusal, program) => offers.saw(refusal, program),
    titleOf(refusal) {
      const { data } = model;
      const remedy = data === undefined ? undefined : remedyFor(refusal, data);
      return remedy === undefined || remedy.kind === 'none' ? undefined : remedy.role.title;
    },
    clicked(refusal) {
      const { data } = model;
      if (data === undefined) return;
      const remedy = remedyFor(refusal, data);
      if (remedy.kind === 'ask') run(() => ask(remedy, undefined));
      else void vscode.window.showInformationMessage(remedyWords(remedy));
    },
  };
}

function purposeFor(program: string | undefined, assetName: string): string | undefined {
  return program === undefined ? undefined : vscode.l10n.t('Run {0}, which needs {1}', program, assetName);
}

/** Why there is nothing to ask for. */
function remedyWords(remedy: Exclude<Remedy, { kind: 'ask' }>): string {
  switch (remedy.kind) {
    case 'wait':
      return vscode.l10n.t(
        '“{0}” would allow it, and is on its way. Try again once it is active.',
        remedy.role.title,
      );
    case 'held':
      return vscode.l10n.t(
        'You hold “{0}”, which should allow it. Databricks may need a minute to notice; then ask your platform team.',
        remedy.role.title,
      );
    case 'none':
      return vscode.l10n.t('No role that you may ask for would allow it. Ask your team lead.');
  }
}
