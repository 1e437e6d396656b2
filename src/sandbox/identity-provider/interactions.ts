import type { IncomingMessage, ServerResponse } from 'node:http';

import type { Provider } from 'oidc-provider';

import { CLIENT_NAME } from './configuration.ts';
import type { Directory } from './directory.ts';
import { CONTENT_SECURITY_POLICY, continuePage, loginPage, messagePage } from './pages.ts';
import { EDITOR_CLIENT_ID, type Person } from './people.ts';

const PATH = /^\/interaction\/[\w-]+$/;
const MAX_FORM_BYTES = 16 * 1024;

/** Answers the pages on which somebody signs in. False when the request is for something else. */
export type InteractionHandler = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

/** Creates the handler of the login pages. */
export function createInteractionHandler(provider: Provider, directory: Directory): InteractionHandler {
  const finish = async (
    request: IncomingMessage,
    response: ServerResponse,
    person: Person,
    scope: string,
  ): Promise<void> => {
    const grant = new provider.Grant({ accountId: person.sub, clientId: EDITOR_CLIENT_ID });
    grant.addOIDCScope(scope);
    const grantId = await grant.save();
    await provider.interactionFinished(
      request,
      response,
      { login: { accountId: person.sub }, consent: { grantId } },
      { mergeWithLastSubmission: false },
    );
  };

  return async (request, response) => {
    const action = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (!PATH.test(action)) return false;
    if (request.method !== 'GET' && request.method !== 'POST') {
      show(
        response,
        405,
        messagePage('This did not work', 'Open the page again from your editor or terminal.'),
      );
      return true;
    }

    const interaction = await provider.interactionDetails(request, response).catch(() => undefined);
    if (interaction === undefined) {
      show(
        response,
        400,
        messagePage('This sign-in has expired', 'Start again from your editor or terminal.'),
      );
      return true;
    }
    const signedIn = interaction.session ? directory.findBySub(interaction.session.accountId) : undefined;
    const scope = typeof interaction.params['scope'] === 'string' ? interaction.params['scope'] : 'openid';

    if (request.method === 'GET') {
      const page = signedIn
        ? continuePage({ action, clientName: CLIENT_NAME, ...signedIn })
        : loginPage({ action, clientName: CLIENT_NAME });
      show(response, 200, page);
      return true;
    }

    const form = await readForm(request);
    if (form === undefined) {
      show(response, 413, messagePage('This did not work', 'The form was too large. Go back and try again.'));
      return true;
    }
    switch (form.get('do')) {
      case 'cancel':
        await provider.interactionFinished(
          request,
          response,
          { error: 'access_denied', error_description: 'The person cancelled the sign-in' },
          { mergeWithLastSubmission: false },
        );
        return true;
      case 'continue':
        if (signedIn) await finish(request, response, signedIn, scope);
        else show(response, 200, loginPage({ action, clientName: CLIENT_NAME }));
        return true;
      case 'switch':
        show(response, 200, loginPage({ action, clientName: CLIENT_NAME }));
        return true;
      default: {
        const userName = form.get('username') ?? '';
        const person = directory.authenticate(userName, form.get('password') ?? '');
        if (person) await finish(request, response, person, scope);
        else show(response, 401, loginPage({ action, clientName: CLIENT_NAME, userName, failed: true }));
        return true;
      }
    }
  };
}

function show(response: ServerResponse, status: number, html: string): void {
  response
    .writeHead(status, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    .end(html);
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > MAX_FORM_BYTES) return undefined;
    chunks.push(bytes);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}
