import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { RequestFacts } from '../../../src/control-plane/policy/facts.ts';
import { loadPolicy } from '../../../src/control-plane/policy/publish.ts';
import type { PolicyVersion } from '../../../src/control-plane/policy/version.ts';
import { teamsOf } from '../../../src/control-plane/roles/teams.ts';
import { ENVIRONMENT, person, policyFolder } from '../../unit/control-plane/policy/folder.ts';
import { type Figure, median, quantile } from '../figure.ts';

const POLICIES = 100;
const DECISIONS = 5_000;
const WARM_UP = 300;

const PEOPLE = [
  person('ana', 'data-scientist', ['ml-recsys']),
  person('omar', 'ops-engineer', ['ml-platform']),
  person('aude', 'auditor', ['audit']),
  person('lena', 'lead', ['ml-recsys', 'ml-recsys-leads']),
];

/** How long policy thinks about a request. */
export const policy: Figure = {
  name: 'policy',
  what: `one decision on a request at ${String(POLICIES)} policies, reasons and nearest rule included`,
  async measure(cleanup) {
    const folder = await cleanup.start(policyFolder, (made) => made.remove());
    const few = await loadPolicy(folder.path, ENVIRONMENT);
    const count = await countPolicies(folder.path);
    await folder.write('more.cedar', morePolicies(POLICIES - count));
    if ((await countPolicies(folder.path)) !== POLICIES) throw new Error('Not the policies that were meant.');
    const many = await loadPolicy(folder.path, ENVIRONMENT);
    const peerMs = decide(few);
    const valuesMs = decide(many);
    return [
      {
        name: 'policy_decision_p99',
        value: quantile(valuesMs, 0.99),
        unit: 'ms',
        peer: { what: `with the demo's ${String(count)} policies`, value: quantile(peerMs, 0.99) },
        bar: { of: 'value', is: 'at most', limit: 5 },
        note: `half of ${String(DECISIONS)} within ${median(valuesMs).toFixed(2)} ms`,
      },
    ];
  },
};

function decide(version: PolicyVersion): number[] {
  const questions = PEOPLE.flatMap((principal) =>
    version.catalogue.roles.map((role): RequestFacts => ({
      ...{ principal, role, teams: teamsOf(principal, version.catalogue), minutes: 60 },
      ...{ extension: false, breakGlass: false, ticket: undefined, purposeCharacters: 40, verified: [] },
      ...{ hourUtc: 10, weekday: 3 },
    })),
  );
  const tookMs: number[] = [];
  for (let index = 0; index < WARM_UP + DECISIONS; index += 1) {
    const facts = questions[index % questions.length];
    if (facts === undefined) throw new TypeError('There is nothing to ask.');
    const startedMs = performance.now();
    version.decideRequest(facts);
    if (index >= WARM_UP) tookMs.push(performance.now() - startedMs);
  }
  return tookMs;
}

function morePolicies(count: number): string {
  return Array.from(
    { length: count },
    (_, index) => `
@id("team-${String(index)}")
@because("Team ${String(index)} gets its own roles at once, in short windows.")
permit (principal, action == Action::"request.at_once", resource)
when
{
  principal.duty == Duty::"data-scientist" &&
  principal.teams.contains(resource.team) &&
  resource.team == Team::"recsys" &&
  resource.sensitivity == Sensitivity::"low" &&
  context.minutes == ${String(10_000 + index)}
};
`,
  ).join('');
}

async function countPolicies(folder: string): Promise<number> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.cedar'));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.join('\n').match(/^\s*(?:permit|forbid)\s*\(/gm)?.length ?? 0;
}
