import { AUDIT_EVENTS, type AuditEvent } from '../../domain/audit-events.ts';
import type { Localise } from '../localise.ts';

/** What happened, in a few words; an event that a newer control plane wrote goes by its name. */
export function eventWords(l10n: Localise, event: string): string {
  const known = AUDIT_EVENTS.find((candidate) => candidate === event);
  return known === undefined ? event : words(l10n, known);
}

function words(l10n: Localise, event: AuditEvent): string {
  switch (event) {
    case 'request.created':
      return l10n.t('Access was requested');
    case 'request.approval_added':
      return l10n.t('An approval was given');
    case 'request.awaiting_requester':
      return l10n.t('A request waits for a new sign-in');
    case 'request.reopened':
      return l10n.t('A request is decided anew');
    case 'request.approved':
      return l10n.t('A request was approved');
    case 'request.denied':
      return l10n.t('A request was denied');
    case 'request.cancelled':
      return l10n.t('A request was taken back');
    case 'request.lapsed':
      return l10n.t('A request lapsed undecided');
    case 'request.link_opened':
      return l10n.t('A request was opened from a notice');
    case 'request.refused':
      return l10n.t('A request was refused');
    case 'request_link.refused':
      return l10n.t('The link of a notice was refused');
    case 'approval.fallen':
      return l10n.t('An approval counts no more');
    case 'approval.refused':
      return l10n.t('An approval was refused');
    case 'denial.refused':
      return l10n.t('A denial was refused');
    case 'cancellation.refused':
      return l10n.t('Taking back a request was refused');
    case 'delegation.created':
      return l10n.t('A delegate was named');
    case 'delegation.revoked':
      return l10n.t('A delegate was dismissed');
    case 'delegation.refused':
      return l10n.t('A change of delegates was refused');
    case 'notice.sent':
      return l10n.t('A notice was sent');
    case 'notice.given_up':
      return l10n.t('A notice reached nobody in time');
    case 'grant.scheduled':
      return l10n.t('Access was granted');
    case 'grant.provisioning':
      return l10n.t('Access is being set up');
    case 'grant.active':
      return l10n.t('Access began');
    case 'grant.extended':
      return l10n.t('Access was extended');
    case 'grant.break_glass':
      return l10n.t('Access was taken in an emergency');
    case 'grant.reviewed':
      return l10n.t('Emergency access was reviewed');
    case 'grant.revoking':
      return l10n.t('Access is being removed');
    case 'grant.revoke_stuck':
      return l10n.t('Access cannot be removed yet');
    case 'grant.ended':
      return l10n.t('Access ended');
    case 'grant.failed':
      return l10n.t('Access could not be set up');
    case 'grant.review_refused':
      return l10n.t('A review of emergency access was refused');
    case 'extension.refused':
      return l10n.t('An extension was refused');
    case 'return.refused':
      return l10n.t('Giving back access was refused');
    case 'revocation.refused':
      return l10n.t('A revocation was refused');
    case 'effect.written':
      return l10n.t('The members of a group were changed');
    case 'credential.issued':
      return l10n.t('A credential was issued');
    case 'credential.returned':
      return l10n.t('A credential was given back at a sign-out');
    case 'credential.refused':
      return l10n.t('A credential was refused');
    case 'personal_token.made':
      return l10n.t('A personal access token was made');
    case 'personal_token.thrown_away':
      return l10n.t('A new personal access token was thrown away unused');
    case 'personal_token.given_up':
      return l10n.t('A personal access token is given up, and to be deleted');
    case 'personal_token.gone':
      return l10n.t('A personal access token was seen to be gone');
    case 'personal_token.orphan':
      return l10n.t('A personal access token that nobody holds was found');
    case 'personal_token.stuck':
      return l10n.t('A personal access token cannot be deleted yet');
    case 'runner.offered':
      return l10n.t('Access was handed to a program');
    case 'runner.started':
      return l10n.t('A program took its own access');
    case 'runner.ended':
      return l10n.t("A program's own access ended");
    case 'runner.refused':
      return l10n.t("A program's own access was refused");
    case 'team_tokens.read':
      return l10n.t("A team's personal access tokens were looked at");
    case 'group.adopted':
      return l10n.t('A group was adopted');
    case 'group.refused':
      return l10n.t('A group could not be adopted');
    case 'group.gone':
      return l10n.t('An adopted group was deleted on Databricks');
    case 'group.alarm':
      return l10n.t('Removing from a group waits for a look');
    case 'membership.lost':
      return l10n.t('A member was missing from a group');
    case 'membership.removed_without_store':
      return l10n.t('Access was removed while the database was away');
    case 'stranger.appeared':
      return l10n.t('A member whom OAM did not add is in a group');
    case 'stranger.left':
      return l10n.t('A member whom OAM did not add has left a group');
    case 'stranger.removing':
      return l10n.t('A member whom OAM did not add is being removed');
    case 'session.seen':
      return l10n.t('First use of a sign-in');
    case 'workload.signed_in':
      return l10n.t('A workload signed in');
    case 'authentication.refused':
      return l10n.t('A sign-in was refused');
    case 'directory.person_added':
      return l10n.t('The directory added a person');
    case 'directory.person_changed':
      return l10n.t('The directory changed a person');
    case 'directory.person_deactivated':
      return l10n.t('The directory deactivated a person');
    case 'directory.person_removed':
      return l10n.t('The directory removed a person');
    case 'directory.group_added':
      return l10n.t('The directory added a group');
    case 'directory.group_changed':
      return l10n.t('The directory changed a group');
    case 'directory.group_removed':
      return l10n.t('The directory removed a group');
    case 'server.started':
      return l10n.t('The control plane started');
    case 'store.restored':
      return l10n.t('The database was restored from a backup');
    case 'policy.published':
      return l10n.t('A policy came into force');
    case 'policy.refused':
      return l10n.t('A policy was refused');
    case 'signing_key.published':
      return l10n.t('A signing key was published');
    case 'signing_key.activated':
      return l10n.t('A signing key signs from now on');
    case 'signing_key.retired':
      return l10n.t('A signing key signs no more');
    case 'signing_key.removed':
      return l10n.t('A signing key was removed');
    case 'signing_key.lost':
      return l10n.t('A signing key could not be opened and was given up');
    case 'signing_key.refused':
      return l10n.t('A change of signing keys was refused');
    case 'audit.read':
      return l10n.t('The audit trail was read');
    case 'audit.exported':
      return l10n.t('The audit trail was exported');
    case 'audit_read.refused':
      return l10n.t('Reading the audit trail was refused');
  }
}
