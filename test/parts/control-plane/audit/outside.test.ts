import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import * as z from 'zod/mini';

import { AuditExportRow } from '../../../../src/protocol/audit.ts';
import { checkAnchors } from '../../../../src/protocol/audit-anchors.ts';
import { grantOf, startWorld, type World } from '../world.ts';
import { verifyStore } from './trail.ts';

const ExportLogsServiceRequest = z.object({
  resourceLogs: z.array(
    z.object({
      resource: z.object({ attributes: z.array(z.object({ key: z.string(), value: z.unknown() })) }),
      scopeLogs: z.array(
        z.object({
          logRecords: z.array(
            z.object({
              timeUnixNano: z.string().check(z.regex(/^\d+$/)),
              severityNumber: z.int(),
              eventName: z.string(),
              body: z.object({ stringValue: z.string() }),
              attributes: z.array(
                z.object({
                  key: z.string(),
                  value: z.union([
                    z.strictObject({ stringValue: z.string() }),
                    z.strictObject({ intValue: z.string() }),
                  ]),
                }),
              ),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** A receiver on loopback that answers as it is told. */
async function startReceiver(answer: (body: string) => number | 'nothing') {
  const taken: { body: string; headers: IncomingHttpHeaders; path: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (piece: string) => (body += piece));
    request.on('end', () => {
      const status = answer(body);
      // The rows are taken all the same: the sender cannot know.
      if (status === 'nothing' || status === 200) {
        taken.push({ body, headers: request.headers, path: request.url ?? '' });
      }
      if (status === 'nothing') request.socket.destroy();
      else response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    taken,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const recordsIn = (taken: readonly { body: string }[]) =>
  taken.flatMap(({ body }) =>
    ExportLogsServiceRequest.parse(JSON.parse(body)).resourceLogs.flatMap((resource) =>
      resource.scopeLogs.flatMap((scope) => scope.logRecords),
    ),
  );

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await delay(50);
}

const head = async (world: World): Promise<number> => {
  const { chain } = await verifyStore(world.store.db);
  return chain.unchained === 0 ? chain.head.sequence : Infinity;
};

describe('the audit trail as OpenTelemetry logs', function () {
  this.timeout(60_000);

  it('arrives whole and in order, through trouble, a lost answer and a restart', async () => {
    let calls = 0;
    await using receiver = await startReceiver(() => {
      calls += 1;
      if (calls === 1) return 503;
      if (calls === 2) return 'nothing';
      if (calls === 3) return 429;
      return 200;
    });
    const world = await startWorld({
      audit: {
        anchors: { everySeconds: 3_600, standardOutput: false },
        openTelemetry: { url: `${receiver.url}/v1/logs` },
      },
    });
    try {
      await world.until(grantOf(await world.ask('ana', 'recsys-endpoint-query')), 'active');
      await until(() => calls >= 4);
      await world.restart();
      await world.ask('omar', 'platform-cluster-operator');
      const sequenceOf = (record: ReturnType<typeof recordsIn>[number]): number =>
        AuditExportRow.parse(JSON.parse(record.body.stringValue)).sequence ?? 0;
      const sequences = (): Set<number> => new Set(recordsIn(receiver.taken).map(sequenceOf));
      await until(async () => sequences().size >= (await head(world)));
      const records = recordsIn(receiver.taken);
      const ids = records.map((record) => record.attributes.find(({ key }) => key === 'oam.event.id')?.value);
      // Twice where the answer was lost; known by the id.
      const once = new Map(records.map((record, index) => [JSON.stringify(ids[index]), record]));
      assert.ok(once.size < records.length);
      assert.deepEqual(
        [...sequences()].sort((a, b) => a - b),
        [...sequences()].map((_, index) => index + 1),
      );
      const active = records.find((record) => record.eventName === 'oam.grant.active');
      assert.equal(active?.severityNumber, 9);
      assert.ok(active.attributes.some(({ key }) => key === 'oam.grant.id'));
      assert.equal(receiver.taken[0]?.path, '/v1/logs');
      const later = receiver.taken.slice(2).map(({ body }) => sequenceOf(recordsIn([{ body }])[0] as never));
      assert.deepEqual(
        later,
        [...later].sort((a, b) => a - b),
        'nothing is sent anew after a restart',
      );
    } finally {
      await world.close();
    }
  });

  it('goes on behind a row that the receiver will never take', async () => {
    const errors: string[] = [];
    await using receiver = await startReceiver((body) => (body.includes('oam.request.created') ? 400 : 200));
    const world = await startWorld({
      logger: {
        ...{ debug: () => undefined, info: () => undefined, warn: () => undefined },
        error: (message) => errors.push(message),
      },
      audit: {
        anchors: { everySeconds: 3_600, standardOutput: false },
        openTelemetry: { url: receiver.url },
      },
    });
    try {
      await world.ask('ana', 'recsys-endpoint-query');
      await until(
        () =>
          errors.some((message) => message.includes('refuses a row')) &&
          recordsIn(receiver.taken).some((record) => record.eventName === 'oam.request.approved'),
      );
      assert.ok(!recordsIn(receiver.taken).some((record) => record.eventName === 'oam.request.created'));
    } finally {
      await world.close();
    }
  });
});

describe('anchors of the audit trail', function () {
  this.timeout(60_000);

  it('go to a folder, a webhook and standard output, in order, and are good by the published keys', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'oam-anchors-'));
    let calls = 0;
    await using receiver = await startReceiver(() => {
      calls += 1;
      return calls === 1 ? 500 : 200;
    });
    const printed: string[] = [];
    const world = await startWorld({
      print: (line) => printed.push(line),
      audit: { anchors: { everySeconds: 1, folder, webhook: { url: receiver.url }, standardOutput: true } },
    });
    try {
      await world.until(grantOf(await world.ask('ana', 'recsys-endpoint-query')), 'active');
      const inFolder = async (): Promise<string[]> => {
        const texts = (await readdir(folder)).map((name) => readFile(path.join(folder, name), 'utf8'));
        return (await Promise.all(texts)).join('').trimEnd().split('\n');
      };
      const posted = (): string[] => receiver.taken.flatMap(({ body }) => body.trimEnd().split('\n'));
      await until(() => printed.length >= 1);
      await world.client('aude').call('listAudit');
      await until(async () => printed.length >= 2 && posted().length >= 2 && (await inFolder()).length >= 2);
      const keys = await world.client('aude').call('getAuditKeys');
      for (const lines of [printed, posted(), await inFolder()]) {
        const { anchors, problems } = await checkAnchors(lines, keys);
        assert.deepEqual(problems, []);
        const { chain } = await verifyStore(world.store.db, anchors);
        assert.deepEqual(chain.findings, []);
        assert.equal(chain.anchoredTo, anchors.at(-1)?.sequence);
      }
    } finally {
      await world.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
