import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

/** Where each item of bad input is tried: the file of the test, and its title as it stands there. */
const COVERED: readonly (readonly [item: string, file: string, title: string])[] = [
  ['forged token, at the client', 'parts/identity/bad-input', "'forged with another key'"],
  [
    'forged token, at the control plane',
    'parts/control-plane/authentication/doors',
    'tells another issuer from a forgery',
  ],
  ['expired token, at the client', 'parts/identity/bad-input', '    expired: (claims)'],
  [
    'expired token, at the control plane',
    'parts/control-plane/authentication/doors',
    'says that a session has expired',
  ],
  ['token of the future, at the client', 'parts/identity/bad-input', "'of the future'"],
  [
    'token of the future, at the control plane',
    'parts/control-plane/authentication/doors',
    "'of the future'",
  ],
  ['token for another audience, at the client', 'parts/identity/audiences', 'where the access token ${what}'],
  [
    'token for another audience, at the control plane',
    'parts/control-plane/authentication/doors',
    'to neither ID token nor a Databricks token',
  ],
  ['alg:none, at the client', 'parts/identity/bad-input', "'signed by nobody (alg none)'"],
  ['alg:none, at the control plane', 'parts/control-plane/authentication/doors', "{ alg: 'none' }"],
  [
    'HS256 with the public key, at the client',
    'parts/identity/bad-input',
    "'signed with the public key as a secret (HS256)'",
  ],
  [
    'HS256 with the public key, at the control plane',
    'parts/control-plane/authentication/doors',
    "alg: 'HS256'",
  ],
  ['replayed ID token', 'parts/identity/bad-input', "'replayed from another sign-in'"],
  [
    'replayed refresh token, of the identity provider',
    'parts/extension/rotations',
    'at a provider that notices reuse',
  ],
  [
    'replayed refresh token, of Databricks',
    'parts/identity/databricks-sign-in-kept',
    'until a refresh token comes a second time',
  ],
  ['truncated token, at the client', 'parts/identity/bad-input', '    truncated: async (claims)'],
  [
    'truncated token, at the control plane',
    'parts/control-plane/authentication/doors',
    'truncated: good.slice',
  ],
  ['another state', 'parts/identity/loopback', 'refuses an answer with another state'],
  ['another state, at Databricks', 'parts/identity/databricks-sign-in', "'with another state'"],
  ['another nonce', 'parts/identity/bad-input', "'without the nonce'"],
  ['a second callback, to the loopback interface', 'parts/identity/loopback', 'takes one answer only'],
  [
    'a second callback, to an address of the editor',
    'unit/extension/uri-callbacks',
    'are passed on once: a second one changes nothing',
  ],
  ['a callback from another tab', 'parts/identity/databricks-sign-in', "state: 'of-another-tab'"],
  [
    'a callback in another window',
    'unit/extension/uri-callbacks',
    'reach the window that asked when another one got them',
  ],
  [
    'a callback that nobody waits for',
    'unit/extension/uri-callbacks',
    'that nobody waits for have no effect',
  ],
  [
    'a callback of another issuer',
    'parts/identity/loopback',
    'refuses an answer from another issuer, and one that hides its issuer',
  ],
  ['an identity provider that answers slowly', 'parts/identity/bad-input', "'nothing, for too long'"],
  ['… with HTML', 'parts/identity/bad-input', "'a page of HTML'"],
  ['… with redirects', 'parts/identity/bad-input', "'a redirect'"],
  ['… with 500s', 'parts/identity/bad-input', "'status 500'"],
  ['… the same at discovery', 'parts/identity/discovery', 'does not follow a redirect'],
  [
    'a refresh token that was rotated elsewhere',
    'parts/identity/session-windows',
    'reads again before it believes that the session is over',
  ],
  [
    "… that of Databricks' own sign-in",
    'parts/identity/databricks-sign-in-kept',
    'where another machine rotated first',
  ],
  [
    'a clock ten minutes off, at a sign-in',
    'parts/identity/bad-input',
    'says that the clock is off where it is ten minutes',
  ],
  [
    'a clock ten minutes off, at a refresh',
    'parts/identity/session-trouble',
    'does not mistake a clock that is ahead for the end of the session',
  ],
  ['a clock ten minutes off, in Diagnose', 'parts/extension/diagnose', 'the clock is ten minutes ahead'],
  [
    'a control plane that names a foreign workspace host, in the broker',
    'unit/broker/token-source',
    'are not asked for at a host that nobody trusts',
  ],
  [
    "… for Databricks' own sign-in",
    'parts/extension/databricks-sign-in',
    'goes to no host that the control plane names and the person does not trust',
  ],
  ['… in Diagnose', 'parts/extension/diagnose', 'the control plane names a foreign workspace host'],
  [
    '… at the command line',
    'parts/cli/real-parts',
    'starts nothing for a workspace host that the person does not trust',
  ],
  [
    'a workspace that names a token endpoint of another origin',
    'unit/databricks/tokens',
    'are not asked for at an endpoint of another origin',
  ],
  ['a token endpoint that redirects', 'unit/databricks/tokens', 'are not followed through a redirect'],
];

/** The two doors: what was tried at which of them, in the same form. */
const DOORS: typeof COVERED = [
  [
    'the access token at a workspace',
    'parts/control-plane/authentication/doors',
    "And the access token at Databricks' door.",
  ],
  [
    "the access token at a workspace, by Databricks' SDK",
    'clients/databricks-sdk',
    'access token at the wrong door',
  ],
  [
    'the ID token at the control plane',
    'parts/control-plane/authentication/doors',
    'codeOf(session.idToken)',
  ],
  [
    "a workspace's token at the control plane",
    'parts/control-plane/authentication/doors',
    'codeOf(personal.accessToken)',
  ],
  [
    "the token of Databricks' own sign-in at the control plane",
    'parts/control-plane/authentication/doors',
    'own sign-in at Databricks (U2M)',
  ],
  [
    'a token for both, at the control plane',
    'parts/control-plane/authentication/doors',
    'stays shut to a token that would open both doors',
  ],
  ['a token for both, at a sign-in', 'parts/identity/audiences', 'opens both doors'],
  [
    'a set-up with one audience for both, at the client',
    'parts/identity/discovery',
    'refuses a configuration in which one token would open both doors',
  ],
  [
    'a set-up with one audience for both, at the control plane',
    'unit/control-plane/configuration/configuration',
    'one token',
  ],
  [
    'a set-up with one audience for both, at the command line',
    'parts/cli/databricks-sign-in',
    'signs nobody in where one token would open both doors',
  ],
  ['one token for both, in Diagnose', 'parts/extension/diagnose', 'and one token for two doors'],
  [
    'a foreign host, in the broker',
    'unit/broker/token-source',
    'are not asked for at a host that nobody trusts',
  ],
  [
    "a foreign host, for Databricks' own sign-in in the broker",
    'parts/identity/databricks-sign-in-kept',
    'never of a host that is not trusted',
  ],
  [
    'a foreign host, in the editor',
    'parts/extension/databricks-sign-in',
    'goes to no host that the control plane names',
  ],
  [
    'a foreign host, in Diagnose',
    'parts/extension/diagnose',
    'the control plane names a foreign workspace host',
  ],
  [
    'a foreign host, at the command line',
    'parts/cli/databricks-sign-in',
    'opens no page of a host that the person does not trust',
  ],
  [
    "a workspace of Databricks' own domains that only a grant names, at the command line",
    'unit/cli/foreign-host',
    'gets no sign-in sent there, and starts nothing',
  ],
  [
    "a workspace of Databricks' own domains that only a grant names, in the side bar",
    'unit/extension/access-model',
    'is not read in a workspace that only a grant names',
  ],
  ['a workspace that hides behind the name of another one', 'unit/cli/pins', 'is one host for each name'],
  ['another host for a role than its person signed in at', 'unit/broker/role-tokens', 'another workspace'],
  ['a token endpoint that redirects', 'unit/databricks/tokens', 'are not followed through a redirect'],
  [
    "a token endpoint that redirects, of Databricks' own sign-in",
    'unit/databricks/user-sign-in',
    'not where the token endpoint redirects to',
  ],
  [
    'a token endpoint of another origin',
    'unit/databricks/tokens',
    'are not asked for at an endpoint of another origin',
  ],
  [
    "endpoints of another origin, of Databricks' own sign-in",
    'unit/databricks/user-sign-in',
    'not where the workspace names another ${endpoint}',
  ],
  [
    'a change of whom is trusted, in the editor',
    'unit/extension/connection',
    'changes are named, old and new',
  ],
  [
    'a change of where tokens come from, in the editor',
    'parts/extension/databricks-sign-in',
    'asks before it follows a change of where tokens come from',
  ],
  [
    'a change of whom is trusted, at the command line',
    'unit/cli/pins',
    'is held against it, with old and new, until the person agrees',
  ],
];

for (const [what, table] of [
  ['every item of bad input of a sign-in is tried', COVERED],
  ['every attack on the two doors is tried', DOORS],
] as const) {
  describe(what, () => {
    for (const [item, file, title] of table) {
      it(`${item}: in ${file}`, () => {
        const text = readFileSync(new URL(`../../${file}.test.ts`, import.meta.url), 'utf8');
        assert.ok(text.includes(title), `no such test: ${title}`);
      });
    }
  });
}
