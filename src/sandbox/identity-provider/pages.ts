import { createHash } from 'node:crypto';

import { escapeHtml } from '../../domain/html.ts';

const STYLE = `
:root { color-scheme: light dark; --page: #f3f4f6; --card: #fff; --text: #1f2328; --quiet: #57606a;
  --line: #8c959f; --accent: #0b62c4; --on-accent: #fff; --bad: #b3261e; --bad-ground: #fdecea; }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181d; --card: #1f232b; --text: #e6e8eb; --quiet: #a3abb6; --line: #6e7681;
    --accent: #58a6ff; --on-accent: #0d1117; --bad: #ff9a92; --bad-ground: #3a1d1c; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px;
  background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 400px; padding: 32px; background: var(--card); border-radius: 10px;
  box-shadow: 0 1px 3px rgb(0 0 0 / .2); }
.house { margin: 0 0 20px; color: var(--quiet); font-size: 13px; }
h1 { margin: 0 0 8px; font-size: 24px; line-height: 1.25; }
p { margin: 0 0 16px; }
label { display: block; margin: 16px 0 4px; font-weight: 600; font-size: 14px; }
input:not([type=hidden]) { width: 100%; padding: 10px 12px; font: inherit; color: inherit;
  background: transparent; border: 1px solid var(--line); border-radius: 6px; }
input.code { font: 600 22px ui-monospace, monospace; letter-spacing: .12em; text-transform: uppercase; text-align: center; }
button { width: 100%; margin-top: 20px; padding: 10px 16px; font: inherit; font-weight: 600; cursor: pointer;
  color: var(--on-accent); background: var(--accent); border: 1px solid transparent; border-radius: 6px; }
button.second { margin-top: 10px; color: var(--text); background: transparent; border-color: var(--line); }
:is(button, input):focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.bad { padding: 10px 12px; color: var(--bad); background: var(--bad-ground); border-radius: 6px; }
.code-shown { display: block; margin: 12px 0; padding: 12px; text-align: center; border: 1px solid var(--line);
  border-radius: 6px; font: 600 26px ui-monospace, monospace; letter-spacing: .12em; }
.quiet { color: var(--quiet); font-size: 14px; }
`;

/** The schemes of addresses that open VS Code, as its builds have them. */
export const EDITOR_SCHEMES = ['vscode', 'vscode-insiders', 'code-oss', 'vscodium'];

/**
 * What a browser may do on these pages: show them, style them with the one style sheet above and send their forms, to
 * this provider and onwards to an editor: one that listens on the loopback interface, or by its own address. No
 * scripts, no frames.
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'img-src data:',
  ["form-action 'self' http://127.0.0.1:*", ...EDITOR_SCHEMES.map((scheme) => `${scheme}:`)].join(' '),
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** The page on which somebody says who they are. */
export function loginPage(o: {
  readonly action: string;
  readonly clientName: string;
  readonly userName?: string | undefined;
  readonly failed?: boolean;
}): string {
  const userName = o.userName ?? '';
  return page(
    'Sign in',
    `<h1>Sign in</h1>
<p>to continue to <strong>${escapeHtml(o.clientName)}</strong></p>
${o.failed ? '<p class="bad" role="alert" id="problem">The user name or the password is wrong. Try again.</p>' : ''}
<form method="post" action="${escapeHtml(o.action)}">
<label for="username">User name</label>
<input id="username" name="username" type="email" autocomplete="username" required value="${escapeHtml(userName)}"${
      userName === '' ? ' autofocus' : ''
    }>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${
      userName === '' ? '' : ' autofocus'
    }${o.failed ? ' aria-describedby="problem"' : ''}>
<button type="submit" name="do" value="login">Sign in</button>
<button type="submit" name="do" value="cancel" class="second" formnovalidate>Cancel</button>
</form>`,
  );
}

/** The page for somebody whose browser is signed in already. */
export function continuePage(o: {
  readonly action: string;
  readonly clientName: string;
  readonly displayName: string;
  readonly userName: string;
}): string {
  return page(
    'Continue',
    `<h1>Continue as ${escapeHtml(o.displayName)}?</h1>
<p><strong>${escapeHtml(o.clientName)}</strong> will see your name, e-mail address and groups.</p>
<p class="quiet">Signed in as ${escapeHtml(o.userName)}</p>
<form method="post" action="${escapeHtml(o.action)}">
<button type="submit" name="do" value="continue" autofocus>Continue</button>
<button type="submit" name="do" value="switch" class="second">Use another account</button>
<button type="submit" name="do" value="cancel" class="second">Cancel</button>
</form>`,
  );
}

/** The page on which somebody types the code that their editor shows. */
export function codeEntryPage(o: {
  readonly action: string;
  readonly xsrf: string;
  readonly problem?: string | undefined;
}): string {
  return page(
    'Connect a device',
    `<h1>Enter your code</h1>
<p>Type the code that your editor or terminal shows.</p>
${o.problem === undefined ? '' : `<p class="bad" role="alert" id="problem">${escapeHtml(o.problem)}</p>`}
<form method="post" action="${escapeHtml(o.action)}">
<input type="hidden" name="xsrf" value="${escapeHtml(o.xsrf)}">
<label for="user_code">Code</label>
<input id="user_code" name="user_code" type="text" class="code" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus${
      o.problem === undefined ? '' : ' aria-describedby="problem"'
    }>
<button type="submit">Continue</button>
</form>`,
  );
}

/** The page on which somebody compares the code before they let the device in. */
export function codeConfirmPage(o: {
  readonly action: string;
  readonly xsrf: string;
  readonly userCode: string;
  readonly clientName: string;
}): string {
  return page(
    'Confirm the code',
    `<h1>Is this your code?</h1>
<p><strong>${escapeHtml(o.clientName)}</strong> should show exactly this code:</p>
<code class="code-shown">${escapeHtml(o.userCode)}</code>
<p class="quiet">If you did not start this sign-in, or the code is another, choose “Not mine”.</p>
<form method="post" action="${escapeHtml(o.action)}">
<input type="hidden" name="xsrf" value="${escapeHtml(o.xsrf)}">
<input type="hidden" name="user_code" value="${escapeHtml(o.userCode)}">
<button type="submit" name="confirm" value="yes" autofocus>Yes, continue</button>
<button type="submit" name="abort" value="yes" class="second">Not mine</button>
</form>`,
  );
}

/** A page that only tells something: the end of a flow, or why there is none. */
export function messagePage(title: string, text: string): string {
  return page(title, `<h1>${escapeHtml(title)}</h1>\n<p role="status">${escapeHtml(text)}</p>`);
}

function page(title: string, content: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Sandbox identity provider</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<p class="house">Sandbox identity provider</p>
${content}
</main>
</body>
</html>`;
}
