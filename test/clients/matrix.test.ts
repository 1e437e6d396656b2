import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { ROOT } from '../../demo/stage/folders.ts';
import { installPython, type PythonEnvironment } from '../../demo/stage/python.ts';
import { startStage, type Stage } from '../../demo/stage/stage.ts';
import { pointerEnvironment, startBroker } from '../../src/broker/index.ts';
import { silentLogger } from '../../src/domain/logger.ts';
import { createRedactor } from '../../src/domain/redaction.ts';
import { HOUR_MS } from '../../src/domain/time.ts';
import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { orSkip } from '../reporting/skip.ts';
import { CommandLine } from './commandLine.ts';

const Said = z.object({
  client: z.string(),
  value: z.optional(z.string()),
  error: z.optional(z.string()),
});

const CLIENTS = ['Python SDK', 'databricks-connect', 'MLflow', 'SQL connector'] as const;

/** Where a client's code runs. */
const PLACES = ['terminal', 'kernel', 'oam exec', 'oam exec --file-oidc'] as const;

type Place = (typeof PLACES)[number];

/** The table of docs/tools.md, "Seen". */
describe("Databricks' clients, wherever they run", () => {
  const running = new AsyncDisposableStack();
  let stage: Stage;
  let python: PythonEnvironment;
  let pointer: Readonly<Record<string, string>>;
  const seen = new Map<string, string>();

  before(async function () {
    this.timeout(900_000);
    const packages = {
      name: "Databricks' clients for Python",
      file: join(ROOT, 'test/clients/matrix-requirements.txt'),
    };
    python = await orSkip(this, () => installPython(console.log, { packages }));
    stage = await startStage({});
    running.defer(() => stage.close());
    const { prod } = stage.databricks.workspaces;
    const clock = { nowMs: () => Date.now() };
    const broker = await startBroker({ clock, logger: silentLogger, redactor: createRedactor() });
    running.defer(() => broker.close());
    const accessToken = stage.databricks.personalAccessToken('prod', PEOPLE.ana.userName);
    const token = () => Promise.resolve({ accessToken, expiresAtMs: Date.now() + HOUR_MS });
    const { url } = broker.open({ host: prod.host, source: { token } });
    pointer = { ...pointerEnvironment({ host: prod.host, url }) };
  });
  after(async () => {
    await running.disposeAsync();
    const width = Math.max(...CLIENTS.map((client) => client.length));
    console.log(`\n    ${''.padEnd(width)}  ${PLACES.join('  ')}`);
    for (const client of CLIENTS) {
      const cells = PLACES.map((place) => (seen.get(`${client} ${place}`) ?? 'not run').padEnd(place.length));
      console.log(`    ${client.padEnd(width)}  ${cells.join('  ')}`);
    }
  });

  const client = join(ROOT, 'test/clients/matrix_client.py');

  const scripts: Record<Place, () => Promise<string>> = {
    terminal: () => inTerminal([client]),
    kernel: () => inTerminal([join(ROOT, 'test/clients/matrix_kernel.py'), client]),
    'oam exec': () => underExec([]),
    'oam exec --file-oidc': () => underExec(['--file-oidc']),
  };

  async function inTerminal(words: readonly string[]): Promise<string> {
    const child = spawn('bash', ['-c', 'exec python "$@"', 'bash', ...words], {
      env: { PATH: `${python.bin}:${process.env['PATH'] ?? ''}`, HOME: stage.folder, ...pointer },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const texts = await Promise.all([child.stdout, child.stderr].map((stream) => stream.toArray()));
    return texts.flat().map(String).join('');
  }

  async function underExec(flags: readonly string[]): Promise<string> {
    const ana = new CommandLine({ stage, python, person: PEOPLE.ana, cwd: stage.folder });
    const words = ['exec', ...flags, '--workspace', 'ml-prod', '--', 'python', client];
    const { code, output } = await ana.run(words);
    assert.equal(code, 0, output);
    return output;
  }

  for (const place of PLACES) {
    it(`work as the person by ${place}`, async () => {
      const before = stage.databricks.requests().length;
      const output = await scripts[place]();
      const said = new Map(
        [...output.matchAll(/^MATRIX (.*)$/gm)].map(([, line = '']) => {
          const { client: name, ...answer } = Said.parse(JSON.parse(line));
          return [name, answer];
        }),
      );
      const warehouse = stage.databricks
        .requests()
        .slice(before)
        .find(({ path }) => path.startsWith('/sql/1.0/warehouses/'));
      const works: Record<(typeof CLIENTS)[number], boolean> = {
        'Python SDK': said.get('Python SDK')?.value === PEOPLE.ana.userName,
        'databricks-connect': said.get('databricks-connect')?.value === PEOPLE.ana.userName,
        MLflow: /^\d+ experiments$/.test(said.get('MLflow')?.value ?? ''),
        'SQL connector': warehouse?.principal === PEOPLE.ana.userName,
      };
      for (const [name, isFine] of Object.entries(works)) seen.set(`${name} ${place}`, isFine ? 'yes' : 'NO');
      assert.ok(
        Object.values(works).every((isFine) => isFine),
        output,
      );
    });
  }
});
