import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import { HOUR_MS } from '../../../../src/domain/time.ts';
import { refused } from '../world.ts';
import { HOOK, noticeStage, ROLE, told } from './notice-stage.ts';

const linkOf = (url: string): { id: string; nonce: string } => {
  const { pathname, searchParams } = new URL(url);
  return { id: pathname.split('/').at(-1) ?? '', nonce: searchParams.get('nonce') ?? '' };
};
describe('notices', function () {
  this.timeout(60_000);
  const stage = noticeStage();
  const { start, settled } = stage;

  it('carry a link that opens the request once for each who may see it, and decides nothing', async () => {
    const world = await start();
    const request = await world.ask('ana', ROLE);
    await settled();
    const { link = '' } = told(stage.chat, HOOK)[0]?.data ?? {};
    const { id, nonce } = linkOf(link);
    assert.equal(id, request.id);
    const open = (name: 'ana' | 'lena' | 'omar', body = { nonce }, requestId = id) =>
      world.client(name).call('openLink', { params: { id: requestId }, body });

    // A previewer looks as often as it likes.
    const { pathname, search } = new URL(link);
    for (const method of ['GET', 'GET', 'GET'] as const) {
      const page = await world.http({ method, path: pathname + search });
      assert.equal(page.status, 200);
      assert.match(
        page.text,
        new RegExp(`href="vscode://databricks-ml-oam.databricks-ml-oam/request/${id}\\?nonce=`),
      );
      assert.match(page.headers['content-security-policy'] ?? '', /default-src 'none'/);
      assert.doesNotMatch(page.text, /Ana|clicks/);
    }
    for (const path of [
      `${pathname}?nonce=%22%3E%3Cscript%3E`,
      `/api/v1/open/x%22%3E?nonce=${nonce}`,
      pathname,
    ]) {
      const page = await world.http({ method: 'GET', path });
      assert.equal(page.status, 404);
      assert.doesNotMatch(page.text, /script|x"/);
    }

    await refused(open('omar'), 'not_found');
    const shown = await open('lena');
    assert.deepEqual([shown.id, shown.state, shown.version], [id, 'pending', request.version]);
    const problem = await refused(open('lena'), 'link_spent');
    assert.match(problem.detail, /opened this link before, or it is too old/);
    // Others open it for themselves; to be its requester's is to see it, and no more.
    assert.equal((await open('ana')).state, 'pending');
    await refused(open('lena', { nonce: randomBytes(32).toString('base64url') }), 'link_spent');
    await refused(open('lena', { nonce: 'short' }), 'bad_request');
    // Bound to its request.
    const other = await world.ask('ana', 'recsys-deployer');
    await refused(open('lena', { nonce }, other.id), 'link_spent');
    assert.equal((await world.client('lena').call('getRequest', { params: { id } })).approvals.length, 0);
    const { items } = await world.client('aude').call('listAudit', { query: { requestId: id } });
    assert.deepEqual(
      items
        .filter(({ event }) => event === 'request.link_opened')
        .map(({ actor }) => actor?.displayName)
        .sort(),
      ['Ana Silva', 'Lena Fischer'],
    );
    assert.ok(items.some(({ event }) => event === 'request_link.refused'));
    assert.ok(!JSON.stringify(items).includes(nonce));
  });

  it('do not open a request whose time is over', async () => {
    const world = await start();
    const request = await world.ask('ana', ROLE);
    await settled();
    const { nonce } = linkOf(told(stage.chat, HOOK)[0]?.data.link ?? '');
    await world.advance(25 * HOUR_MS);
    const open = world.client('lena').call('openLink', { params: { id: request.id }, body: { nonce } });
    await refused(open, 'link_spent');
  });

  it('are opened by one of many clicks at the same time', async () => {
    const world = await start();
    const request = await world.ask('ana', ROLE);
    await settled();
    const { nonce } = linkOf(told(stage.chat, HOOK)[0]?.data.link ?? '');
    const clicks = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        world.client('lena').call('openLink', { params: { id: request.id }, body: { nonce } }),
      ),
    );
    assert.equal(clicks.filter(({ status }) => status === 'fulfilled').length, 1);
  });
});
