import type { FastifyInstance } from 'fastify';
import * as z from 'zod/mini';

import { isId } from '../changes/ids.ts';
import { OpenLinkBody } from '../../protocol/requests.ts';
import type { NoticeSettings } from './settings.ts';
import type { LinkTo } from './words.ts';

/** The extension's own id, which is its authority in an address of the editor. */
const EXTENSION_ID = 'databricks-ml-oam.databricks-ml-oam';

/** Chats let nobody click an address of an editor: links lead to a page of ours that has it. */
export function linkToEditor(publicUrl: string): LinkTo {
  return (requestId, nonce) => `${publicUrl}/api/v1/open/${requestId}?nonce=${nonce}`;
}

const Query = z.object({ nonce: OpenLinkBody.shape.nonce });

/**
 * Adds the page that a link leads to. It reads nothing from the store and changes nothing there, whoever looks at it:
 * what it shows is made of the link alone.
 */
export function addLinkPage(app: FastifyInstance, editor: NoticeSettings['editor']): void {
  app.get<{ Params: { id: string } }>(
    '/api/v1/open/:id',
    { exposeHeadRoute: true },
    async (request, reply) => {
      const nonce = Query.safeParse(request.query).data?.nonce;
      const { id } = request.params;
      const isLink = nonce !== undefined && isId(id);
      const text = isLink
        ? `<p><a href="${editor}://${EXTENSION_ID}/request/${id}?nonce=${nonce}">Open the request in the editor</a></p>
<p>The link only shows the request, to those who may see it. You decide in the editor, signed in.</p>`
        : '<p>This link is not whole. Look under Approvals in the editor: what waits for you is there.</p>';
      return reply
        .code(isLink ? 200 : 404)
        .headers({
          'cache-control': 'no-store',
          'content-security-policy':
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
          'referrer-policy': 'no-referrer',
          'x-content-type-options': 'nosniff',
          'x-robots-tag': 'noindex',
        })
        .type('text/html; charset=utf-8')
        .send(page(text));
    },
  );
}

function page(text: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Databricks ML OAM</title></head>
<body>
<h1>Databricks ML OAM</h1>
${text}
</body>
</html>
`;
}
