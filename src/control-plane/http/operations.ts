import type { Me } from '../../protocol/person.ts';
import type { Configuration } from '../../protocol/configuration.ts';
import { auditKeys } from '../audit/anchors.ts';
import { exportAnchors, exportAudit } from '../audit/export.ts';
import { listAudit } from '../audit/read.ts';
import { readsAudit } from '../audit/reading.ts';
import type { Core } from '../core.ts';
import { returnCredentials } from '../credentials/give-back.ts';
import { issueCredential } from '../credentials/issue.ts';
import { listLeases } from '../credentials/leases.ts';
import type { CredentialParts } from '../credentials/parts.ts';
import { listDelegations } from '../delegations/lists.ts';
import { createDelegation } from '../delegations/name.ts';
import { endDelegation } from '../delegations/revoke.ts';
import { readEvents } from '../events/feed.ts';
import { returnGrant, revokeGrant } from '../grants/end.ts';
import { extendGrant } from '../grants/extend.ts';
import { reviewBreakGlass } from '../break-glass/review.ts';
import { getGrant, listGrants } from '../grants/lists.ts';
import { getIssuer, rotateKeys } from '../issuer/administer.ts';
import { openLink } from '../notices/links.ts';
import { askForRole } from '../requests/ask.ts';
import { getBackground } from '../requests/background.ts';
import { approveRequest, cancelRequest, denyRequest } from '../requests/decide.ts';
import { explainRequest } from '../requests/explain.ts';
import { getRequest, listRequests } from '../requests/lists.ts';
import { timestamp, viewPerson } from '../requests/view.ts';
import { getOutlook, listRoles } from '../roles/list.ts';
import { groupsOf, teamsOf } from '../roles/teams.ts';
import { endRunner, listRunners } from '../runners/administer.ts';
import { handOver } from '../runners/hand-over.ts';
import { redeemCode, renewToken } from '../runners/tokens.ts';
import { listTeamLeases } from '../team/leases.ts';
import { listTeamMembers } from '../team/members.ts';
import { listTeamTokens, type TeamTokenParts } from '../team/tokens.ts';
import type { Operations } from './call.ts';

/** What the operations of one call need. */
export interface OperationParts {
  readonly core: Core;
  readonly configuration: () => Configuration;
  /** What the list of a team's personal access tokens needs. */
  readonly teamTokens: TeamTokenParts;
  /** What issuing needs; throws while the issuer's key has yet to be read. */
  readonly credentials: () => CredentialParts;
}

/** The control plane's side of every operation of the protocol, for one call. */
export function createOperations({
  core,
  configuration,
  teamTokens,
  credentials,
}: OperationParts): Operations {
  return {
    getConfiguration: () => Promise.resolve(configuration()),
    getMe: (call) => {
      const { principal } = call.bearer();
      const me: Me = {
        ...viewPerson(principal),
        groups: [...groupsOf(principal)],
        duty: principal.duty ?? null,
        teams: teamsOf(principal, core.policy.catalogue).map((team) => ({ ...team })),
        seenAt: timestamp(principal.seenAtMs),
        readsAudit: readsAudit(core, principal),
      };
      return Promise.resolve(me);
    },
    listRoles: (call) => listRoles(core, call.bearer().principal),
    getOutlook: (call) => getOutlook(core, call.bearer().principal, call.params.id, call.query),
    createRequest: (call) => askForRole(core, call.intent(), call.body, call.signal),
    listRequests: (call) => listRequests(core, call.bearer().principal, call.query),
    getRequest: (call) => getRequest(core, call.bearer().principal, call.params.id),
    explainRequest: (call) => explainRequest(core, call.bearer().principal, call.params.id),
    getBackground: (call) => getBackground(core, call.bearer().principal, call.params.id),
    approveRequest: (call) =>
      approveRequest(core, call.intent(), { requestId: call.params.id, version: call.version }, call.body),
    denyRequest: (call) =>
      denyRequest(core, call.intent(), { requestId: call.params.id, version: call.version }, call.body),
    cancelRequest: (call) =>
      cancelRequest(core, call.intent(), { requestId: call.params.id, version: call.version }),
    openLink: (call) => openLink(core, call.intent(), call.params.id, call.body),
    listGrants: (call) => listGrants(core, call.bearer().principal, call.query),
    getGrant: (call) => getGrant(core, call.bearer().principal, call.params.id),
    returnGrant: (call) =>
      returnGrant(core, call.intent(), { grantId: call.params.id, version: call.version }),
    revokeGrant: (call) =>
      revokeGrant(core, call.intent(), { grantId: call.params.id, version: call.version }, call.body),
    reviewGrant: (call) => reviewBreakGlass(core, call.intent(), call.params.id, call.body),
    extendGrant: (call) =>
      extendGrant(
        core,
        call.intent(),
        { grantId: call.params.id, version: call.version },
        call.body,
        call.signal,
      ),
    issueCredential: (call) =>
      issueCredential(credentials(), call.intent(), call.params.id, call.body.session),
    returnCredentials: (call) => returnCredentials(core, call.bearer().principal, call.body.session),
    listLeases: (call) => listLeases(core, call.bearer().principal, call.params.id, call.query),
    listTeamLeases: (call) => listTeamLeases(core, call.bearer().principal, call.query),
    listTeamMembers: (call) => listTeamMembers(core, call.bearer().principal, call.query),
    listTeamTokens: (call) => listTeamTokens(core, teamTokens, call.bearer().principal, call.query),
    createDelegation: (call) => createDelegation(core, call.intent(), call.body),
    listDelegations: (call) => listDelegations(core, call.bearer().principal, call.query),
    revokeDelegation: (call) => endDelegation(core, call.bearer().principal, call.params.id),
    listEvents: (call) => readEvents(core, call.bearer().principal, call.query.after),
    getIssuer: (call) => getIssuer(credentials(), call.bearer().principal),
    rotateKeys: (call) => rotateKeys(credentials(), call.intent(), call.body),
    listAudit: (call) => listAudit(core, call.bearer().principal, call.query),
    exportAudit: (call) => exportAudit(core, call.bearer().principal, call.query.after),
    listAnchors: (call) => exportAnchors(core, call.bearer().principal, call.query.after),
    handOver: (call) => handOver(core, call.intent(), call.params.id, call.body.name),
    redeemRunner: (call) => redeemCode(core, call.body.code, call.body.machine),
    renewRunner: (call) => renewToken(core, call.bearer().runner, call.body.machine),
    listRunners: (call) => listRunners(core, call.bearer().principal, call.params.id, call.query),
    endRunner: (call) => endRunner(core, call.bearer().principal, call.params.id),
    getAuditKeys: () => auditKeys(core.db),
  };
}
