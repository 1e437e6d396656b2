import type { Principal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import { PURPOSE_MAX_CHARACTERS } from '../../protocol/limits.ts';
import type { Outlook, RoleView } from '../../protocol/schemas.ts';
import { storeNowMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import type { RequestDecision } from '../policy/facts.ts';
import { judge, type Wish } from '../requests/judgement.ts';
import { viewStage } from '../requests/view.ts';
import { allConfirming } from '../requests/verification.ts';
import { seesRole, teamsOf, visibleRole } from './teams.ts';

/** A purpose of ordinary length: what is shown is what an ordinary request would meet. */
const ORDINARY_PURPOSE = 'x'.repeat(100);

const SOME_TICKET = 'TICKET-1';

/** Why a group was not adopted, where nobody wrote it down. */
const NO_REASON = 'Unknown.';

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
  const reasonBy = new Map(refusals.map((group) => [group.group_id, group.reason ?? NO_REASON]));
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
      ...outlooksOf(core, caller, role, ordinaryWish(role), nowMs, reasonBy.get(role.group.id)),
      breakGlass: mayBreakGlass(core, caller, role, nowMs),
      rights: [...(role.rights ?? [])],
      group: role.group.name,
    }))
    .filter(
      ({ outlook, ifConfirmed }) =>
        caller.workload === undefined || outlook.kind !== 'refused' || ifConfirmed !== undefined,
    );
  return { items };
}

/**
 * What a request for a role would meet now, that is for so long and with or without a ticket.
 *
 * @throws {OamError} `unknown_role` where there is none of this id for the caller, `groups_overflowed`.
 */
export async function getOutlook(
  core: Core,
  caller: Principal,
  roleId: string,
  asked: {
    readonly minutes: number;
    readonly ticket: boolean;
    readonly purposeCharacters?: number | undefined;
  },
): Promise<Outlooks> {
  const role = visibleRole(core.policy.catalogue, caller, roleId);
  const group = await core.db
    .selectFrom('jit_group')
    .select('reason')
    .where('group_id', '=', role.group.id)
    .where('adoption', '=', 'refused')
    .executeTakeFirst();
  const wish = {
    ...ordinaryWish(role),
    minutes: asked.minutes,
    ticket: asked.ticket ? SOME_TICKET : undefined,
    purpose: 'x'.repeat(Math.min(asked.purposeCharacters ?? ORDINARY_PURPOSE.length, PURPOSE_MAX_CHARACTERS)),
  };
  const because = group === undefined ? undefined : (group.reason ?? NO_REASON);
  return outlooksOf(core, caller, role, wish, await storeNowMs(core.db), because);
}

type RoleWish = Omit<Wish, 'codeContext'>;

/** What a wish would meet; where callbacks are asked and it matters what they say, both ways. */
type Outlooks = Pick<RoleView, 'outlook' | 'ifConfirmed'>;

function outlooksOf(
  core: Core,
  caller: Principal,
  role: Role,
  wish: RoleWish,
  nowMs: number,
  unavailableBecause: string | undefined,
): Outlooks {
  if (unavailableBecause !== undefined) {
    return { outlook: { kind: 'unavailable', because: [unavailableBecause] } };
  }
  const outlook = asOutlook(judge(core.policy, caller, role, wish, nowMs));
  const by = [...core.callbacks.askedAbout(role)];
  if (by.length === 0) return { outlook };
  // What can be confirmed has a ticket, where a rule asks for one.
  const ticketed = { ...wish, ticket: wish.ticket ?? SOME_TICKET };
  const unconfirmed = judge(core.policy, caller, role, ticketed, nowMs);
  const evidence = allConfirming(by, nowMs);
  const confirmed = judge(core.policy, caller, role, { ...ticketed, evidence }, nowMs);
  return confirmed.kind === unconfirmed.kind
    ? { outlook }
    : { outlook, ifConfirmed: { by, outlook: asOutlook(confirmed) } };
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

function ordinaryWish(role: Role): RoleWish {
  return {
    minutes: role.defaultMinutes,
    purpose: ORDINARY_PURPOSE,
    ...{ ticket: undefined, extension: undefined, startsAtMs: undefined, breakGlass: false, evidence: [] },
  };
}
