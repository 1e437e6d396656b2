import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { Kernel } from '../../demo/kernel-extension/kernel.ts';
import { ROOT } from '../../demo/stage/folders.ts';
import { personTokenSource, pointerEnvironment, startBroker } from '../../src/broker/index.ts';
import { hostTrust } from '../../src/databricks/index.ts';
import { silentLogger } from '../../src/domain/logger.ts';
import { createRedactor } from '../../src/domain/redaction.ts';
import {
  createSessionKeeper,
  discoverIdentityProvider,
  memorySessionStore,
  processRefreshLock,
} from '../../src/identity/index.ts';
import { axiosTransport } from '../../src/protocol/transport.ts';
import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  PEOPLE,
  signInHeadless,
} from '../../src/sandbox/identity-provider/index.ts';
import { clientStage, type ClientStage } from './stage.ts';

/** Little more than a broker hands out at all, so that waiting a token out takes seconds. */
const TOKEN_SECONDS = 12;

/** Renewed at half its life; what is then left is enough for a token. */
const ID_TOKEN_SECONDS = 30;

const ME = 'workspace.current_user.me().user_name';

describe('a kernel that was started with a pointer', () => {
  let on: ClientStage | undefined;
  const undo: (() => Promise<void> | void)[] = [];
  const there = (): ClientStage => on ?? assert.fail('The stage is not set.');

  before(async function () {
    on = await clientStage(this, { databricksTokenSeconds: TOKEN_SECONDS, idTokenSeconds: ID_TOKEN_SECONDS });
    const { stage, python } = on;
    const clock = { nowMs: () => Date.now() };
    const redactor = createRedactor();
    const session = createSessionKeeper({
      store: memorySessionStore(),
      lock: processRefreshLock(),
      identityProvider: () =>
        discoverIdentityProvider({
          issuer: stage.identityProvider.issuer,
          clientId: EDITOR_CLIENT_ID,
          audience: OAM_AUDIENCE,
          scopes: [...EDITOR_SCOPES],
        }),
      clock,
      logger: silentLogger,
      redactor,
    });
    await session.accept(await signInHeadless(PEOPLE.ana, stage.identityProvider));

    const broker = await startBroker({ clock, logger: silentLogger, redactor });
    undo.push(() => broker.close());
    const { host } = stage.databricks.workspaces.prod;
    const trust = hostTrust([host]);
    const source = personTokenSource({ host, session, trust, transport: axiosTransport(), clock, redactor });
    const place = broker.open({ host, source });

    // As in the editor: the kernel is our child and inherits our environment.
    const environment = {
      ...pointerEnvironment({ host, url: place.url }),
      PATH: `${python.bin}:${process.env['PATH'] ?? ''}`,
    };
    for (const [name, value] of Object.entries(environment)) {
      const previous = process.env[name];
      process.env[name] = value;
      undo.push(() => {
        if (previous === undefined) delete process.env[name];
        else process.env[name] = previous;
      });
    }
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
    await on?.stage.close();
  });

  it('works with the SDK past two expiries of its token, without a restart', async function () {
    this.timeout(90_000);
    const kernel = await Kernel.start(join(ROOT, 'demo/kernel-extension/relay.py'), there().project);
    try {
      const first = await run(
        kernel,
        `from databricks.sdk import WorkspaceClient\nworkspace = WorkspaceClient()\nprint(${ME})`,
      );
      assert.equal(first, 'ana.silva@example.com');
      const exchangesBefore = exchanges(there());
      assert.ok(exchangesBefore >= 1);

      for (const expiry of [1, 2]) {
        await delay(TOKEN_SECONDS * 1000);
        assert.equal(await run(kernel, `print(${ME})`), 'ana.silva@example.com');
        assert.ok(
          exchanges(there()) >= exchangesBefore + expiry,
          `after ${String(expiry)} expiries the same token was still in use`,
        );
      }
    } finally {
      kernel.dispose();
    }
  });

  it('stands a call in the middle of which the token runs out', async function () {
    this.timeout(60_000);
    const kernel = await Kernel.start(join(ROOT, 'demo/kernel-extension/relay.py'), there().project);
    try {
      const code = [
        'import time',
        'from databricks.sdk import WorkspaceClient',
        'workspace = WorkspaceClient()',
        `names = {${ME}}`,
        `until = time.monotonic() + ${String(TOKEN_SECONDS + 3)}`,
        'while time.monotonic() < until:',
        `    names.add(${ME})`,
        '    time.sleep(1)',
        'print(names)',
      ].join('\n');
      assert.equal(await run(kernel, code), "{'ana.silva@example.com'}");
    } finally {
      kernel.dispose();
    }
  });
});

/** How many tokens Databricks has issued to people. */
function exchanges({ stage }: ClientStage): number {
  return stage.databricks
    .requests()
    .filter((call) => call.host === 'prod' && call.path === '/oidc/v1/token' && call.status === 200).length;
}

async function run(kernel: Kernel, code: string): Promise<string> {
  let printed = '';
  const { ok } = await kernel.execute(code, (output) => {
    printed += output.type === 'stream' ? output.text : JSON.stringify(output);
  });
  assert.ok(ok, printed);
  return printed.trim();
}
