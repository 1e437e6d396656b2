import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { ROOT } from '../../demo/stage/folders.ts';
import { installPython } from '../../demo/stage/python.ts';
import { pointerEnvironment, startBroker } from '../../src/broker/index.ts';
import { silentLogger } from '../../src/domain/logger.ts';
import { createRedactor } from '../../src/domain/redaction.ts';
import { HOUR_MS } from '../../src/domain/time.ts';
import { startSandboxDatabricks } from '../../src/sandbox/databricks/index.ts';
import { EDITOR_CLIENT_ID, PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { orSkip } from '../reporting/skip.ts';

const Said = z.object({
  name: z.string(),
  value: z.optional(z.unknown()),
  error: z.optional(z.string()),
});
type Said = z.infer<typeof Said>;

/** The table of docs/credentials.md, "Profiles, tokens and other hosts inside an OAM terminal". */
describe("a program's own way to Databricks, by Databricks' own Python SDK", () => {
  const running = new AsyncDisposableStack();
  let inside: ReadonlyMap<string, Said>;
  let clean: ReadonlyMap<string, Said>;
  let databricks: Awaited<ReturnType<typeof startSandboxDatabricks>>;

  before(async function () {
    this.timeout(600_000);
    const { python } = await orSkip(this, () => installPython(console.log));
    databricks = await startSandboxDatabricks({
      identityProvider: { issuer: 'https://idp.example', audience: EDITOR_CLIENT_ID },
      people: Object.values(PEOPLE),
    });
    running.defer(() => databricks.close());
    const { ana, omar } = PEOPLE;
    const { account, adminCredentials: admin, workspaces } = databricks;
    const { prod, dev } = workspaces;

    const home = await mkdtemp(join(tmpdir(), 'oam-clean-'));
    running.defer(() => rm(home, { recursive: true, force: true }));
    const otherToken = databricks.personalAccessToken('dev', omar.userName);
    const service = `client_id = ${admin.applicationId}\nclient_secret = ${admin.secret}`;
    const profiles = [
      `[DEFAULT]\nhost = ${dev.host}\ntoken = ${otherToken}`,
      `[work]\nhost = ${dev.host}\ntoken = ${otherToken}`,
      `[account]\nhost = ${account.host}\naccount_id = ${account.accountId}\n${service}`,
    ];
    await writeFile(join(home, '.databrickscfg'), profiles.join('\n'), { mode: 0o600 });

    const clock = { nowMs: () => Date.now() };
    const broker = await startBroker({ clock, logger: silentLogger, redactor: createRedactor() });
    running.defer(() => broker.close());
    const accessToken = databricks.personalAccessToken('prod', ana.userName);
    const token = () => Promise.resolve({ accessToken, expiresAtMs: clock.nowMs() + HOUR_MS });
    const path = broker.open({ host: prod.host, source: { token } });
    running.defer(() => {
      path[Symbol.dispose]();
    });
    const env = {
      PATH: process.env['PATH'],
      HOME: home,
      ...pointerEnvironment({ host: prod.host, url: path.url }),
    };
    const pointedToken = databricks.personalAccessToken('prod', omar.userName);
    const given = { pointed: prod.host, other: dev.host, account, admin, pointedToken, otherToken };
    const script = [python, join(ROOT, 'test/clients/own_credentials.py')];
    const oam = [process.execPath, join(ROOT, 'src/cli/main.ts'), 'exec', '--clean', '--'];
    inside = await heard(script, env, given);
    clean = await heard([...oam, ...script], env, given);
  });
  after(() => running.disposeAsync());

  const { ana, omar } = PEOPLE;
  const pointed = () => [databricks.workspaces.prod.host, ana.userName];
  const service = () => databricks.adminCredentials.applicationId;

  for (const name of ['profile', 'default profile', 'token, same host', 'M2M, same host']) {
    it(`is not taken beside a pointer, silently: ${name}`, () => {
      assert.deepEqual(inside.get(name), { name, value: pointed() });
    });
  }

  for (const name of ['token, other host', 'M2M, other host', 'account']) {
    it(`fails beside a pointer: ${name}`, () => {
      assert.match(inside.get(name)?.error ?? '', /Metadata Service returned empty token/);
    });
  }

  it('is taken beside a pointer where the code names its type: token', () => {
    const { dev } = databricks.workspaces;
    assert.deepEqual(inside.get('token, by its type')?.value, [dev.host, omar.userName]);
  });

  it("goes to the pointer's host, and fails there: account profile", () => {
    assert.match(inside.get('account profile')?.error ?? '', /No API found for 'GET \/api\/2\.0\/accounts\//);
  });

  it('works under oam exec --clean, each as itself', () => {
    const { prod, dev } = databricks.workspaces;
    const said = Object.fromEntries([...clean].map(([name, { value, error }]) => [name, value ?? error]));
    assert.deepEqual(said, {
      profile: [dev.host, omar.userName],
      'default profile': [dev.host, omar.userName],
      'token, same host': [prod.host, omar.userName],
      'token, other host': [dev.host, omar.userName],
      'token, by its type': [dev.host, omar.userName],
      'M2M, same host': [prod.host, service()],
      'M2M, other host': [dev.host, service()],
      account: [databricks.account.host, true],
      'account profile': [databricks.account.host, true],
    });
  });
});

/** Runs the script; its input goes in by standard input, so that no secret is on a command line. */
async function heard(
  [command = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  given: unknown,
): Promise<ReadonlyMap<string, Said>> {
  const child = spawn(command, args, { env });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdin.end(JSON.stringify(given));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  assert.equal(code, 0, errors);
  const lines = output.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => Said.parse(JSON.parse(line))).map((said) => [said.name, said]));
}
