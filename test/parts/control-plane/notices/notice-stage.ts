import { setTimeout as delay } from 'node:timers/promises';

import * as z from 'zod/mini';

import { startWorld, type World, type WorldOptions } from '../world.ts';
import { type ChatServer, SECRET, startChat, type Taken } from './chat.ts';

export const ROLE = 'recsys-model-promote';
export const SLACK = '/slack/T01/B02/the-secret-part-of-slack';
export const TEAMS = '/teams/workflows/1/invoke?sig=the-secret-part-of-teams';
export const HOOK = '/hook';
export const OPS = '/hook/ops';
export const OTHER = '/hook/platform';

const Told = z.object({
  type: z.string(),
  timestamp: z.iso.datetime(),
  data: z.looseObject({
    requestId: z.string(),
    grantId: z.optional(z.string()),
    link: z.optional(z.url()),
    purpose: z.string(),
    team: z.string(),
    outcome: z.optional(z.looseObject({ state: z.string(), by: z.optional(z.string()) })),
  }),
});

export const told = (chat: ChatServer, path: string) =>
  chat.taken(path).map(({ body }) => Told.parse(JSON.parse(body)));
export const types = (chat: ChatServer, path: string): string[] => told(chat, path).map(({ type }) => type);
export const idsOf = (messages: readonly Taken[]): unknown[] =>
  messages.map(({ headers }) => headers['webhook-id']);

export async function until(
  what: () => boolean | Promise<boolean>,
  why: () => string = () => '',
): Promise<void> {
  const start = performance.now();
  while (!(await what())) {
    if (performance.now() - start > 15_000) throw new Error(`It does not come to be. ${why()}`);
    await delay(20);
  }
}

export function noticesTo(
  chat: ChatServer,
  more: Partial<NonNullable<WorldOptions['notices']>['settings']> = {},
) {
  return {
    settings: {
      slack: [{ name: 'recsys-chat', url: 'env:SLACK' }],
      microsoftTeams: [{ name: 'recsys-teams', url: 'env:TEAMS' }],
      webhooks: [
        { name: 'recsys-hook', url: 'env:HOOK', secret: 'env:SECRET' },
        { name: 'platform-hook', url: 'env:OTHER', secret: 'env:SECRET' },
        { name: 'ops', url: 'env:OPS', secret: 'env:SECRET' },
      ],
      teams: { recsys: ['recsys-chat', 'recsys-teams', 'recsys-hook'], platform: ['platform-hook'] },
      operations: ['ops'],
      ...more,
    },
    environment: {
      SLACK: chat.origin + SLACK,
      TEAMS: chat.origin + TEAMS,
      HOOK: chat.origin + HOOK,
      OTHER: chat.origin + OTHER,
      OPS: chat.origin + OPS,
      SECRET,
    },
  };
}

/** A chat server, and a control plane that tells it; each test starts its own. */
export class NoticeStage {
  chat!: ChatServer;
  world!: World;
  /** What the control plane logged. */
  readonly lines: string[] = [];

  readonly start = async (options: WorldOptions = {}): Promise<World> => {
    const note = (message: string, fields?: object): void =>
      void this.lines.push(message + JSON.stringify(fields ?? {}));
    this.world = await startWorld({
      notices: noticesTo(this.chat),
      logger: { debug: note, info: note, warn: note, error: note },
      ...options,
    });
    return this.world;
  };

  /** Waits until nothing is left to be told. */
  readonly settled = () =>
    until(async () => (await this.#causes()) === 0 && (await this.metric('oam_notices_due')) === 0);

  readonly metric = async (name: string): Promise<number> => {
    const { text } = await this.world.http({ method: 'GET', path: '/metrics' });
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
  };

  async #causes(): Promise<number> {
    return (await this.world.store.db.selectFrom('notice_cause').select('id').execute()).length;
  }
}

/** To be called where the suite is described: there is a chat server for each of its tests. */
export function noticeStage(): NoticeStage {
  const stage = new NoticeStage();
  beforeEach(async () => {
    stage.chat = await startChat();
    stage.lines.length = 0;
  });
  afterEach(async () => {
    await stage.world.close();
    await stage.chat[Symbol.asyncDispose]();
  });
  return stage;
}
