import assert from 'node:assert/strict';

import { SECOND_MS } from '../../../../src/domain/time.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { patch, pushPerson } from '../directory/pushes.ts';
import { startWorld, type World } from '../world.ts';
import { headersOf, type Mailbox, PASSWORD, startMailbox, USER } from './mailbox.ts';
import { until } from './notice-stage.ts';

const ROLE = 'recsys-model-promote';

describe('notices by mail', function () {
  this.timeout(60_000);
  let mailbox: Mailbox;
  let world: World;
  const lines: string[] = [];
  const note = (message: string, fields?: object): void =>
    void lines.push(message + JSON.stringify(fields ?? {}));
  const start = async (password = PASSWORD, caFile?: string): Promise<void> => {
    world = await startWorld({
      directory: true,
      logger: { debug: note, info: note, warn: note, error: note },
      notices: {
        settings: {
          mail: {
            ...{ host: 'localhost', port: mailbox.port, caFile: caFile ?? mailbox.caFile },
            ...{ user: USER, password: 'env:PASSWORD', from: 'oam@example.com', requesters: true },
            lists: [{ name: 'leads', to: ['leads@example.com', PEOPLE.omar.userName] }],
          },
          teams: { recsys: ['leads'] },
        },
        environment: { PASSWORD: password },
      },
    });
  };
  beforeEach(async () => {
    mailbox = await startMailbox();
    lines.length = 0;
  });
  afterEach(async () => {
    await world.close();
    await mailbox[Symbol.asyncDispose]();
  });

  const deny = async (id: string, version: number): Promise<void> => {
    await world.client('lena').call('denyRequest', {
      params: { id },
      version,
      body: { reason: 'Not\r\nBcc: evil@example.com\r\n<b>now</b>' },
    });
  };

  it('go through STARTTLS with an account, in one thread, to who has not left, and to the requester', async () => {
    await start();
    await pushPerson(world, 'ana', {
      emails: [{ value: 'home@example.com' }, { value: 'ana@work.example.com', primary: true }],
    });
    await pushPerson(world, 'omar', { active: false });
    mailbox.putOff = 1;
    const request = await world.ask('ana', ROLE);
    await until(async () => {
      await world.advance(SECOND_MS);
      return mailbox.mails.length === 1;
    });
    await deny(request.id, request.version);
    await until(() => mailbox.mails.length === 3);
    const [first, ...rest] = mailbox.mails;
    const toList = rest.find(({ to }) => to.includes('leads@example.com'));
    const toAna = rest.find(({ to }) => to.includes('ana@work.example.com'));
    assert.ok(first !== undefined && toList !== undefined && toAna !== undefined);
    for (const { secure, user, to } of mailbox.mails) {
      assert.deepEqual([secure, user, to.length], [true, USER, 1]);
    }
    const id = headersOf(first).get('message-id')?.[0];
    assert.match(id ?? '', /^<[0-9a-f-]{36}@example\.com>$/);
    assert.equal(headersOf(toList).get('in-reply-to')?.[0], id);
    assert.equal(headersOf(toList).get('auto-submitted')?.[0], 'auto-generated');
    assert.match(first.raw, /\/api\/v1\/open\//);
    assert.match(toAna.raw, /denied by Lena Fischer/);
    // What somebody wrote is no header, and no markup.
    for (const mail of mailbox.mails) {
      assert.equal(headersOf(mail).get('bcc'), undefined);
      assert.doesNotMatch(mail.raw.slice(mail.raw.indexOf('text/html')), /<b>now/);
    }
    assert.match(toAna.raw, /&lt;b&gt;now/);
  });

  it('do not tell somebody who left how their request was decided', async () => {
    await start();
    await pushPerson(world, 'ana');
    await world.ask('ana', ROLE);
    await until(() => mailbox.mails.length === 1);
    const people = await world.store.db.selectFrom('directory_user').select('id').execute();
    await patch(world, `/Users/${people[0]?.id ?? ''}`, { op: 'replace', path: 'active', value: false });
    await until(async () => {
      const due = await world.store.db.selectFrom('notice').select('id').where('state', '=', 'due').execute();
      return mailbox.mails.length >= 2 && due.length === 0;
    });
    assert.deepEqual(
      mailbox.mails.map(({ to }) => to),
      [
        ['leads@example.com', PEOPLE.omar.userName],
        ['leads@example.com', PEOPLE.omar.userName],
      ],
    );
  });

  it('are not sent past a certificate that cannot be trusted, nor tell the password that is refused', async () => {
    const other = await startMailbox();
    try {
      await start(PASSWORD, other.caFile);
      await world.ask('ana', ROLE);
      await until(() => lines.some((line) => line.includes('A notice was not taken')));
      assert.equal(mailbox.mails.length, 0);
      await world.close();
      lines.length = 0;
      await start('another-password-which-is-wrong');
      await world.ask('ana', ROLE);
      await until(() => lines.some((line) => line.includes('A notice was not taken')));
      const rows = await world.store.db.selectFrom('notice').selectAll().execute();
      const audit = await world.store.db.selectFrom('audit').selectAll().execute();
      assert.doesNotMatch(JSON.stringify([lines, rows, audit]), /another-password/);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });
});
