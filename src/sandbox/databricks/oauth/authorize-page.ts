import type { Place } from '../places.ts';
import type { Route } from '../http/router.ts';
import type { Reply } from '../http/reply.ts';
import { SEED } from '../seed/identities.ts';
import type { World } from '../world.ts';
import { SCOPES } from './discovery.ts';
import type { PendingSignIn, UserSignIns } from './user-sign-ins.ts';

/** Where people sign in at Databricks itself: a page with a form, and what the form is sent to. */
export function authorizeRoutes(world: World, signIns: UserSignIns, place: Place): Route[] {
  const base = place === 'account' ? `/oidc/accounts/${SEED.accountId}` : '/oidc';
  const issuer = (): string => `${world.hosts[place]}${base}`;

  const withIssuer = (address: string): string => {
    const url = new URL(address);
    url.searchParams.set('iss', issuer());
    return url.href;
  };

  const begin = (query: URLSearchParams): Reply => {
    const clientId = query.get('client_id');
    const redirectUri = query.get('redirect_uri');
    if (clientId === null || redirectUri === null || !signIns.knows(clientId, redirectUri)) {
      return page(
        400,
        'Sign-in cannot start',
        '<p>The application or its return address is not registered.</p>',
      );
    }
    const problem = problemOf(query);
    if (problem !== undefined) {
      const url = new URL(withIssuer(redirectUri));
      url.searchParams.set('error', problem.error);
      url.searchParams.set('error_description', problem.description);
      const state = query.get('state');
      if (state !== null) url.searchParams.set('state', state);
      return redirect(url.href);
    }
    const id = signIns.begin({
      clientId,
      redirectUri,
      codeChallenge: query.get('code_challenge') ?? '',
      state: query.get('state') ?? '',
      scope: query.get('scope') ?? '',
    });
    return form(200, id, '');
  };

  return [
    { method: 'GET', path: `${base}/v1/authorize`, open: true, handle: (call) => begin(call.query) },
    {
      method: 'POST',
      path: `${base}/v1/authorize`,
      open: true,
      handle: (call) => {
        const fields = new URLSearchParams(call.text);
        const id = fields.get('sign_in') ?? '';
        const pending = signIns.pending(id);
        if (pending === undefined) {
          return page(400, 'Sign-in has ended', '<p>This page is too old. Start the sign-in again.</p>');
        }
        if (fields.get('do') === 'cancel') return redirect(withIssuer(signIns.cancel(id, pending)));
        if (fields.get('do') === 'allow') {
          const back = signIns.consent(id, pending);
          return back === undefined ? form(200, id, '') : redirect(withIssuer(back));
        }
        const userName = fields.get('user_name') ?? '';
        const next = signIns.signIn(id, pending, userName, fields.get('password') ?? '');
        if (next === undefined) return form(401, id, userName);
        return next === 'consent' ? consentForm(id, pending) : redirect(withIssuer(next.back));
      },
    },
  ];
}

function problemOf(query: URLSearchParams): { error: string; description: string } | undefined {
  if (query.get('response_type') !== 'code') {
    return { error: 'unsupported_response_type', description: 'Only code is supported.' };
  }
  if (
    query.get('code_challenge_method') !== 'S256' ||
    !/^[\w-]{43}$/.test(query.get('code_challenge') ?? '')
  ) {
    return { error: 'invalid_request', description: 'PKCE with S256 is required.' };
  }
  if (query.has('assume_group')) {
    return { error: 'invalid_request', description: 'Role assumption is not enabled for this account.' };
  }
  const scopes = (query.get('scope') ?? '').split(' ');
  if (!scopes.every((scope) => SCOPES.includes(scope))) {
    return { error: 'invalid_scope', description: 'A scope is not enabled for this account.' };
  }
  return undefined;
}

function redirect(location: string): Reply {
  return { status: 302, headers: { location, 'cache-control': 'no-store' } };
}

function form(status: number, id: string, userName: string): Reply {
  const wrong = status === 401 ? '<p role="alert">User name or password is wrong.</p>' : '';
  return page(
    status,
    'Sign in to Databricks',
    `${wrong}<form method="post" action="?">
<input type="hidden" name="sign_in" value="${escaped(id)}">
<label>Email <input name="user_name" type="email" autocomplete="username" required value="${escaped(userName)}"></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit" name="do" value="sign-in">Sign in</button>
<button type="submit" name="do" value="cancel" formnovalidate>Cancel</button>
</form>
<p>This is a stand-in for tests and demonstrations, not Databricks.</p>`,
  );
}

function consentForm(id: string, { clientId, scope }: PendingSignIn): Reply {
  return page(
    200,
    'Allow access',
    `<p>${escaped(clientId)} asks to act as you: ${escaped(scope)}.</p><form method="post" action="?">
<input type="hidden" name="sign_in" value="${escaped(id)}">
<button type="submit" name="do" value="allow">Allow</button>
<button type="submit" name="do" value="cancel">Cancel</button>
</form>`,
  );
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:24rem;margin:4rem auto;padding:0 1rem;color:#1b3139}
label{display:block;margin:1rem 0}input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem}
button{font:inherit;padding:.5rem 1.5rem;background:#b3261e;color:#fff;border:0;border-radius:4px}
[role=alert]{color:#b3261e}`;

function page(status: number, title: string, content: string): Reply {
  return {
    status,
    contentType: 'text/html',
    headers: {
      'cache-control': 'no-store',
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
      'referrer-policy': 'no-referrer',
    },
    text: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title><style>${STYLE}</style></head><body><main><h1>${escaped(title)}</h1>${content}</main></body></html>`,
  };
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
