import { OamError } from '../../domain/errors.ts';
import { describeApprovers, namesOf } from '../../domain/approvers.ts';
import { DUTIES, type Duty, type Principal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import type { Catalogue } from '../../control-plane/catalogue/catalogue.ts';
import type { ImaginedWish, Outcome } from '../../control-plane/policy-trial/ask.ts';
import type { CompiledPolicy } from '../../control-plane/policy/version.ts';
import { UsageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import type { FolderFlags } from './folder-flags.ts';
import { loadFolder } from './load.ts';
import { placeOf, ruleLines } from './rule-lines.ts';

/** Who asks for what. */
export interface ExplainFlags extends FolderFlags {
  readonly role: string;
  readonly principal: string;
  readonly duty?: string;
  readonly group?: readonly string[];
  readonly team?: readonly string[];
  readonly lead?: readonly string[];
  readonly attribute?: readonly string[];
  readonly workload?: string;
  readonly subject: string;
  readonly claim?: readonly string[];
  readonly for?: number;
  readonly held?: number;
  readonly ticket?: string;
  readonly purpose?: string;
  readonly hour?: number;
  readonly weekday?: number;
  readonly verified?: readonly string[];
  readonly breakGlass?: true;
}

/**
 * `oam policy explain`: what a policy says to somebody who asks for a role, by which rules; and where it says no, which
 * rule came nearest and what it asks for besides.
 *
 * @throws {UsageError} where the flags name nobody and nothing.
 */
export async function explainPolicy(
  folder: string,
  flags: ExplainFlags,
  invocation: Invocation,
): Promise<void> {
  const { answer } = invocation;
  const { askToRequest, imaginePerson, imagineWorkload } =
    await import('../../control-plane/policy-trial/ask.ts');
  const policy = await loadFolder(folder, flags, invocation);
  const role = roleOf(policy.catalogue, flags.role);
  const principal: Principal =
    flags.workload === undefined
      ? imaginePerson(flags.principal, {
          duty: dutyOf(flags.duty),
          groups: [...(flags.group ?? []), ...groupsOfTeams(policy.catalogue, flags)],
          attributes: attributesOf(flags.attribute ?? []),
        })
      : imagineWorkload({
          issuer: flags.workload,
          subject: flags.subject,
          claims: Object.fromEntries((flags.claim ?? []).map(pairOf)),
        });
  const outcome = askToRequest(policy, principal, role, wishOf(flags));
  if (flags.json) {
    const { kind, because, by = [], nearest } = outcome;
    const rules = policy.rules
      .filter(({ id }) => by.includes(id))
      .map((rule) => ({ id: rule.id, at: placeOf(rule), because: rule.because }));
    answer(JSON.stringify({ policyVersion: policy.hash, decision: kind, because, rules, nearest }));
    return;
  }
  for (const line of explanation(policy, role, outcome, flags.for ?? role.defaultMinutes)) answer(line);
}

const SAID = {
  at_once: 'at once',
  with_approval: 'with approval',
  refused: 'refused',
  allowed: 'allowed',
} as const satisfies Record<Outcome['kind'], string>;

function explanation(policy: CompiledPolicy, role: Role, outcome: Outcome, minutes: number): string[] {
  const { kind, because, by, nearest } = outcome;
  const lines = [`${role.id} for ${minutes} minutes: ${SAID[kind]}`];
  if (by === undefined) lines.push('This holds whatever the rules say:', ...because.map((why) => `  ${why}`));
  else if (nearest !== undefined) {
    lines.push(
      'No rule forbids it, and none allows it. The nearest:',
      ...ruleLines(policy.rules, nearest.id),
    );
    lines.push('It asks for more:', ...nearest.unmet.map((what) => `  - ${what}`));
  } else if (by.length === 0) lines.push(...because);
  else {
    lines.push(kind === 'refused' ? 'Forbidden by:' : 'Allowed by:');
    lines.push(...by.flatMap((id) => ruleLines(policy.rules, id)));
  }
  if (kind === 'with_approval') {
    lines.push('Who approves:');
    lines.push(
      ...role.approval.map(
        (stage, index) => `  ${index + 1}. ${stage.quorum} of ${describeApprovers(namesOf(stage))}`,
      ),
    );
  }
  return [...lines, `Policy version ${policy.hash}`];
}

function roleOf({ roles }: Catalogue, id: string): Role {
  const role = roles.find((candidate) => candidate.id === id);
  if (role !== undefined) return role;
  throw new OamError('unknown_role', 'The catalogue has no such role.', { detail: id });
}

function dutyOf(text: string | undefined): Duty | undefined {
  if (text === undefined) return undefined;
  const duty = DUTIES.find((candidate) => candidate === text);
  if (duty === undefined) throw new UsageError(`A duty is one of ${DUTIES.join(', ')}.`, text);
  return duty;
}

function groupsOfTeams({ teams }: Catalogue, { team = [], lead = [] }: ExplainFlags): string[] {
  const find = (name: string) => {
    const found = teams.find((candidate) => candidate.name === name);
    if (found === undefined) throw new UsageError('The catalogue has no such team.', name);
    return found;
  };
  return [...team.map((name) => find(name).group), ...lead.map((name) => find(name).leadGroup)];
}

function attributesOf(pairs: readonly string[]): Record<string, string[]> {
  const attributes: Record<string, string[]> = {};
  for (const [name, value] of pairs.map(pairOf)) (attributes[name] ??= []).push(value);
  return attributes;
}

function pairOf(text: string): [name: string, value: string] {
  const cut = text.indexOf('=');
  if (cut < 1) throw new UsageError('Write it as name=value.', text);
  return [text.slice(0, cut), text.slice(cut + 1)];
}

function wishOf(flags: ExplainFlags): ImaginedWish {
  const { hour, weekday } = flags;
  if (hour !== undefined && !(Number.isInteger(hour) && hour >= 0 && hour <= 23)) {
    throw new UsageError('An hour is 0 to 23.', String(hour));
  }
  if (weekday !== undefined && !(Number.isInteger(weekday) && weekday >= 1 && weekday <= 7)) {
    throw new UsageError('A weekday is 1 (Monday) to 7 (Sunday).', String(weekday));
  }
  return {
    minutes: flags.for,
    heldMinutes: flags.held,
    ticket: flags.ticket,
    purposeCharacters: flags.purpose === undefined ? undefined : [...flags.purpose].length,
    hourUtc: hour,
    weekday,
    verified: flags.verified,
    breakGlass: flags.breakGlass,
  };
}
