import type { StageView } from '../../protocol/approvers.ts';
import type { ApprovalView } from '../../protocol/schemas.ts';
import type { Localise } from '../localise.ts';

/** Whom a stage of an approval is for, in words. */
export function approverWords(l10n: Localise, stage: Omit<StageView, 'quorum'>): string {
  const or = l10n.t(' or ');
  const who = stage.approverGroups.length === 0 ? l10n.t('people') : stage.approverGroups.join(or);
  const traits = [
    ...(stage.approverDuty === null ? [] : [l10n.t('duty {0}', stage.approverDuty)]),
    ...Object.entries(stage.approverAttributes).map(([name, values]) =>
      l10n.t('{0} {1}', name, values.join(or)),
    ),
  ];
  const bearing = traits.length === 0 ? who : l10n.t('{0} with {1}', who, traits.join(l10n.t(' and ')));
  return stage.ofTeam === null ? bearing : l10n.t('{0} of the team {1}', bearing, stage.ofTeam);
}

/** Who gave a word, and for whom. */
export function speakerWords(
  l10n: Localise,
  { approver, onBehalfOf }: Pick<ApprovalView, 'approver' | 'onBehalfOf'>,
): string {
  return onBehalfOf === null
    ? approver.displayName
    : l10n.t('{0} for {1}', approver.displayName, onBehalfOf.displayName);
}
