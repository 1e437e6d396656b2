import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { temporaryFolder } from '../../demo/stage/folders.ts';
import { startProcess } from '../../demo/stage/processes.ts';
import { grantOf, type Name, startWorld, type World } from '../parts/control-plane/world.ts';
import { clientPython } from './stage.ts';

/** For each caller and operation, besides what covers the description; more, from the environment, for a deeper look. */
const EXAMPLES = process.env['OAM_FUZZ_EXAMPLES'] ?? '3';

/** Walks from answer to answer, for each of the callers. */
const WALKS = '10';

/** The same calls in every run; another number, from the environment, for others. */
const SEED = process.env['OAM_FUZZ_SEED'] ?? '1';

/**
 * What a well-formed call may come to besides success: the state of things, or the rules, are against it. Everything
 * else that is refused although the description allows it makes the description wrong.
 */
const AGAINST = '"2xx", 401, 403, 404, 409, 410, 412, 422';

const CONFIGURATION = `
headers = { Authorization = "Bearer \${OAM_TOKEN}" }
warnings = false

# Each walk goes from answer to answer. Those who may do little come less far, and walk all the same.
[phases.stateful]
generation.max-examples = ${WALKS}
max-steps = 12

[checks.positive_data_acceptance]
expected-statuses = [${AGAINST}]

# Whether a cursor is one of ours cannot be said by a pattern.
[[operations]]
include-name-regex = "^GET .*/(requests|grants|delegations|audit|events|leases|runners|team/members|team/tokens)$"
checks.positive_data_acceptance.expected-statuses = [${AGAINST}, 400]

# The client sends any ETag in If-Match, and what is none, whatever the description says of ours; here and there none.
[[operations]]
include-name-regex = "^POST .*/(approve|deny|cancel|return|revoke|extend|review)$"
checks.positive_data_acceptance.expected-statuses = [${AGAINST}, 400, 428]

# The role may be one that has no credential of its own.
[[operations]]
include-name-regex = "^POST .*/(credential|runners)$"
checks.positive_data_acceptance.expected-statuses = [${AGAINST}, 400, 503]
`;

describe('the API, by a fuzzing client', function () {
  let world: World | undefined;
  let schemathesis: string;

  before(async function () {
    const python = await clientPython(this);
    schemathesis = join(python.bin, 'schemathesis');
    world = await startWorld();
  });
  after(async () => {
    await world?.close();
  });

  const CALLERS: readonly (readonly [string, Name, Record<string, unknown>])[] = [
    ['a data scientist', 'ana', {}],
    ['a lead', 'lena', {}],
    ['an ops engineer', 'omar', {}],
    ['an auditor', 'aude', {}],
    [
      'somebody whose list of groups overflowed',
      'ana',
      { sub: 'overflowed', groups: undefined, _claim_names: { groups: 'src1' } },
    ],
  ];
  const holds = (
    who: string,
    tokenIn: (there: World) => Promise<string>,
    last: readonly string[] = [],
  ): void => {
    it(`never fails, and answers ${who} as it says it does`, async function () {
      this.timeout((Number(EXAMPLES) + 5) * 60_000);
      assert.ok(world);
      await makeThingsToCallAbout(world);
      const token = await tokenIn(world);
      const part = async (...words: string[]): Promise<string> => {
        assert.ok(world);
        const { code, output } = await fuzz(schemathesis, world.url, token, words);
        assert.equal(code, 0, output);
        const [, selected, tested] = /Selected: (\d+)\/\d+\s+Tested: (\d+)/.exec(output) ?? [];
        assert.ok(selected !== undefined && selected === tested, output);
        return output;
      };
      const output = await part(...last.flatMap((id) => ['--exclude-operation-id', id]));
      const [, walks = '0'] = /Stateful \(in [^]*Scenarios: +(\d+)/.exec(output) ?? [];
      assert.ok(Number(walks) >= 1, `nothing was walked from answer to answer:\n${output}`);
      if (last.length > 0) await part(...last.flatMap((id) => ['--include-operation-id', id]));
    });
  };
  for (const [who, name, claims] of CALLERS) holds(who, (there) => there.token(name, claims));
  // After these there is nothing left that it could ask: they come last.
  holds('a program that took an access over', runnerToken, ['renewRunner', 'endRunner', 'returnGrant']);
});

/** The token of a program that took over an access which lasts as long as the calls. */
async function runnerToken(world: World): Promise<string> {
  const ana = world.client('ana');
  // The calls before may have asked for it, for any time.
  const { items } = await ana.call('listRequests', { query: { limit: 200 } });
  for (const { id, version, state, role } of items) {
    if (state !== 'pending' || role.id !== 'recsys-deployer') continue;
    await ana.call('cancelRequest', { params: { id }, version });
  }
  const asked = await world.ask('ana', 'recsys-deployer', 60);
  const { id, version } = asked;
  const approved = await world.client('lena').call('approveRequest', { params: { id }, version, body: {} });
  await world.until(grantOf(approved), 'active');
  const { code } = await ana.call('handOver', {
    params: { id: grantOf(approved) },
    body: { name: 'fuzzed' },
  });
  const body = { code, machine: 'the-machine-of-the-fuzzing-client' };
  return (await ana.call('redeemRunner', { body })).accessToken;
}

/** A request that waits and an access that is active, unless there is one. */
async function makeThingsToCallAbout(world: World): Promise<void> {
  const ana = world.client('ana');
  const { items } = await ana.call('listRequests', { query: { limit: 200 } });
  if (!items.some(({ state }) => state === 'pending')) await world.ask('ana', 'recsys-model-promote');
  const grants = await ana.call('listGrants', { query: { open: 'true', limit: 200 } });
  if (!grants.items.some(({ state }) => state === 'active')) {
    await world.until(grantOf(await world.ask('ana', 'recsys-endpoint-query')), 'active');
  }
}

/** Runs Schemathesis against the description that the server itself gives. */
async function fuzz(
  schemathesis: string,
  url: string,
  token: string,
  words: readonly string[],
): Promise<{ code: number | null; output: string }> {
  const folder = await temporaryFolder('fuzz');
  try {
    const configuration = join(folder.path, 'schemathesis.toml');
    await writeFile(configuration, CONFIGURATION);
    let output = '';
    const running = startProcess({
      name: 'schemathesis',
      command: schemathesis,
      arguments: [
        ...['--config-file', configuration, 'run', `${url}/api/v1/openapi.json`],
        ...['--max-examples', EXAMPLES, '--seed', SEED, '--no-color', ...words],
      ],
      cwd: folder.path,
      env: { ...process.env, OAM_TOKEN: token },
      onLine: (line) => (output += `${line}\n`),
    });
    const { code } = await running.ended;
    await running.drained;
    return { code, output };
  } finally {
    await folder.remove();
  }
}
