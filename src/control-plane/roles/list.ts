import type { Principal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import type { Outlook, RoleView } from '../../protocol/schemas.ts';
import { storeNowMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import type { RequestDecision } from '../policy/facts.ts';
import { judge } from '../requests/judgement.ts';
import { viewStage } from '../requests/view.ts';
import { allConfirming } from '../requests/verification.ts';
import { seesRole, teamsOf } from './teams.ts';

/** A purpose of ordinary length: what is shown is what an ordinary request would meet. */
const ORDINARY_PURPOSE = 'x'.repeat(100);

/**
 * The roles that concern somebody, and what a request for each, for its usual window, would meet now.
 *
 * @throws {OamError} `groups_overflowed`.
 */
export async function listRoles(core: Core, caller: Principal): Promise<{ items: RoleView[] }> {
  const { catalogue } = core.policy;
  const teams = teamsOf(caller, catalogue);
  const nowMs = await storeNowMs(core.db);
  const refusals = await core.db
    .selectFrom('jit_group')
    .select(['group_id', 'reason'])
    .where('adoption', '=', 'refused')
    .execute();
  const reasonBy = new Map(refusals.map((group) => [group.group_id, group.reason ?? 'Unknown.']));
  const items = catalogue.roles
    .filter((role) => seesRole(caller, teams, role))
    .map((role) => ({
      id: role.id,
      title: role.title,
      gives: role.gives,
      workspace: {
        name: role.workspace,
        host: catalogue.workspaces.find((workspace) => workspace.name === role.workspace)?.host ?? '',
      },
      team: role.team,
      sensitivity: role.sensitivity,
      credential: role.credential,
      maxMinutes: role.maxMinutes,
      defaultMinutes: role.defaultMinutes,
      outlook: outlookOf(core, caller, role, nowMs, reasonBy.get(role.group.id)),
      ...ifConfirmedOf(core, caller, role, nowMs, reasonBy.get(role.group.id)),
      breakGlass: mayBreakGlass(core, caller, role, nowMs),
    }))
    .filter(
      ({ outlook, ifConfirmed }) =>
        caller.workload === undefined || outlook.kind !== 'refused' || ifConfirmed !== undefined,
    );
  return { items };
}

function outlookOf(
  core: Core,
  caller: Principal,
  role: Role,
  nowMs: number,
  unavailableBecause: string | undefined,
): Outlook {
  if (unavailableBecause !== undefined) return { kind: 'unavailable', because: [unavailableBecause] };
  return asOutlook(judge(core.policy, caller, role, ordinaryWish(role), nowMs));
}

/** What callbacks will say is not known beforehand: where it matters, both ways are told. */
function ifConfirmedOf(
  core: Core,
  caller: Principal,
  role: Role,
  nowMs: number,
  unavailableBecause: string | undefined,
): Pick<RoleView, 'ifConfirmed'> {
  const by = [...core.callbacks.askedAbout(role)];
  if (by.length === 0 || unavailableBecause !== undefined) return {};
  // What can be confirmed has a ticket, where a rule asks for one.
  const wish = { ...ordinaryWish(role), ticket: 'TICKET-1' };
  const unconfirmed = judge(core.policy, caller, role, wish, nowMs);
  const evidence = allConfirming(by, nowMs);
  const confirmed = judge(core.policy, caller, role, { ...wish, evidence }, nowMs);
  return confirmed.kind === unconfirmed.kind ? {} : { ifConfirmed: { by, outlook: asOutlook(confirmed) } };
}

function asOutlook(decision: RequestDecision): Outlook {
  const because = [...decision.because];
  if (decision.kind !== 'needs_approval') return { kind: decision.kind, because };
  return { kind: 'needs_approval', stages: decision.stages.map(viewStage), because };
}

/** In an emergency there is a ticket. */
function mayBreakGlass(core: Core, caller: Principal, role: Role, nowMs: number): boolean {
  const evidence = allConfirming(core.callbacks.askedAbout(role), nowMs);
  const wish = { ...ordinaryWish(role), ticket: 'EMERGENCY-1', breakGlass: true, evidence };
  return judge(core.policy, caller, role, wish, nowMs).kind === 'granted_at_once';
}

function ordinaryWish(role: Role) {
  return {
    minutes: role.defaultMinutes,
    purpose: ORDINARY_PURPOSE,
    ...{ ticket: undefined, extension: undefined, startsAtMs: undefined, breakGlass: false, evidence: [] },
  };
}
