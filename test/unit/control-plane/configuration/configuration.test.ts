import assert from 'node:assert/strict';

import { IDENTITY_PROFILES } from '../../../../src/control-plane/authentication/identity-profiles.ts';
import {
  catalogueTerms,
  parseServerConfiguration,
} from '../../../../src/control-plane/configuration/configuration.ts';
import { nearest } from '../../../../src/control-plane/configuration/nearest.ts';
import { FileProblemsError } from '../../../../src/control-plane/configuration/problems.ts';
import { secretFromEnvironment } from '../../../../src/control-plane/configuration/secret.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { SERVER_FILE } from './server-file.ts';

const parse = (text: string, environment: Record<string, string> = {}) =>
  parseServerConfiguration('/etc/oam/oam.yaml', text, environment);

const problems = (text: string, environment: Record<string, string> = {}): string[] => {
  try {
    parse(text, environment);
  } catch (error) {
    assert.ok(error instanceof FileProblemsError, String(error));
    assert.equal(error.code, 'configuration_invalid');
    return error.problems.map(({ line, message }) => `${line ?? ''}: ${message}`);
  }
  return [];
};

describe('the configuration of the server', () => {
  it('has a service principal of its own for reading, which no role acts as, or none', () => {
    const named = (clientId: string): string =>
      SERVER_FILE.replace(
        /\n$/,
        `\n  reader: { clientId: ${clientId}, clientSecretEnv: OAM_READER_CLIENT_SECRET }\n`,
      );
    const { databricks } = parse(SERVER_FILE);
    assert.equal(databricks.reader, undefined);
    const other = parse(named('another'));
    assert.deepEqual(catalogueTerms(other), {
      personalTokens: false,
      ownApplicationIds: [databricks.clientId, 'another'],
    });
    assert.match(problems(named(databricks.clientId))[0] ?? '', /^13: .*another service principal than/);
  });

  it('has another service principal for personal access tokens, or none', () => {
    const named = (clientId: string): string =>
      SERVER_FILE.replace(
        /\n$/,
        `\n  pat: { clientId: ${clientId}, clientSecretEnv: OAM_PAT_CLIENT_SECRET }\n`,
      );
    const { databricks } = parse(SERVER_FILE);
    assert.equal(databricks.pat, undefined);
    assert.deepEqual(catalogueTerms({ databricks }), {
      personalTokens: false,
      ownApplicationIds: [databricks.clientId],
    });
    const other = parse(named('another'));
    assert.deepEqual(other.databricks.pat, {
      clientId: 'another',
      clientSecretEnv: 'OAM_PAT_CLIENT_SECRET',
    });
    assert.deepEqual(catalogueTerms(other), {
      personalTokens: true,
      ownApplicationIds: [databricks.clientId, 'another'],
    });
    assert.match(problems(named(databricks.clientId))[0] ?? '', /^13: .*another service principal than/);
  });

  it('fills in what is left out, and takes folders from where the file is', () => {
    const configuration = parse(SERVER_FILE);
    assert.deepEqual(configuration.listen, { host: '127.0.0.1', port: 0 });
    assert.equal(configuration.publicUrl, undefined);
    assert.equal(configuration.databaseUrl, undefined);
    assert.equal(configuration.dataFolder, '/etc/oam/data');
    assert.equal(configuration.policyFolder, '/etc/oam/policy');
    assert.deepEqual(configuration.identity.claims, IDENTITY_PROFILES.oidc);
    assert.deepEqual(configuration.identity.clientIds, [configuration.identity.clientId]);
    assert.deepEqual(configuration.identity.scopes, [
      'openid',
      'profile',
      'email',
      'groups',
      'offline_access',
    ]);
    assert.deepEqual(configuration.issuer, {
      keyEnv: 'OAM_KEY',
      previousKeyEnv: 'OAM_KEY_PREVIOUS',
      rotateAfterDays: 90,
      publishAheadMinutes: 1_440,
      policyKeys: 'discovery',
    });
    assert.deepEqual(configuration.effects, { pollMs: 1_000, absenceConfirmMs: 15_000 });
    assert.deepEqual(configuration.requests, { lapseMinutes: 1_440, reviewHours: 24 });
  });

  it('keeps what is given', () => {
    const configuration = parse(
      `${SERVER_FILE}publicUrl: https://oam.example.com
effects: { absenceConfirmMs: 200 }
databaseUrl: env:DATABASE_URL
`,
      { DATABASE_URL: 'postgres://oam@db/oam' },
    );
    assert.equal(configuration.publicUrl, 'https://oam.example.com');
    assert.deepEqual(configuration.effects, { pollMs: 1_000, absenceConfirmMs: 200 });
    assert.equal(configuration.databaseUrl, 'postgres://oam@db/oam');
  });

  it('takes a Lakebase database by its endpoint or its instance, and not beside an address', () => {
    const lakebase = `lakebase: { host: db.example.com, workspace: 'https://w.example.com', endpoint: e }\n`;
    assert.deepEqual(parse(SERVER_FILE + lakebase).lakebase, {
      ...{ host: 'db.example.com', port: 5_432, database: 'databricks_postgres' },
      ...{ workspace: 'https://w.example.com', endpoint: 'e' },
    });
    const instance = parse(SERVER_FILE + lakebase.replace('endpoint: e', 'instance: i')).lakebase;
    assert.ok(instance !== undefined && 'instance' in instance);
    assert.match(
      problems(`${SERVER_FILE}${lakebase}databaseUrl: postgres://h/d\n`)[0] ?? '',
      /exclude each other/,
    );
    assert.match(
      problems(SERVER_FILE + lakebase.replace('https://', 'http://'))[0] ?? '',
      /must begin with https/,
    );
    assert.notEqual(problems(SERVER_FILE + lakebase.replace(', endpoint: e', '')).length, 0);
  });

  it('refuses an unknown key, says which was meant, and on which line', () => {
    assert.deepEqual(problems(SERVER_FILE.replace('clientSecretEnv', 'clientSecretEnvv')).sort(), [
      "10: 'databricks.clientSecretEnv' is missing.",
      "12: Unknown key 'clientSecretEnvv' in 'databricks'. Did you mean 'clientSecretEnv'?",
    ]);
  });

  it('refuses a secret where the name of its variable belongs', () => {
    const found = problems(SERVER_FILE.replace('OAM_CORE_CLIENT_SECRET', 'dose0123456789abcdef-secret'));
    assert.match(found[0] ?? '', /name of an environment variable/);
    assert.doesNotMatch(found.join('\n'), /dose0123/);
  });

  it('refuses one token for two doors', () => {
    assert.match(
      problems(SERVER_FILE.replace('urn:oam:control-plane', 'oam-editor'))[0] ?? '',
      /^8: 'identity.audience' must differ from 'identity.clientId'/,
    );
    assert.match(
      problems(SERVER_FILE.replace('urn:oam:control-plane', '0d3c8a4e-51b7-4f2e-9c66-2f6f0a7be101'))[0] ?? '',
      /must differ from the Databricks account id/,
    );
  });

  const identity = (lines: string): string[] =>
    problems(SERVER_FILE.replace('identity:\n', `identity:\n${lines}`)).map((line) =>
      line.replace(/^\d+: /, ''),
    );

  it('lets Databricks be the identity provider only with scopes that open nothing of it', () => {
    const scoped = (scopes: string) => identity(`  profile: databricks\n  scopes: [${scopes}]\n`);
    assert.deepEqual(scoped('openid, profile, email, offline_access'), []);
    assert.match(
      scoped('openid, all-apis')[0] ?? '',
      /^'identity.scopes' may hold nothing but .* 'all-apis'\.$/,
    );
  });

  it('takes a word of the company for one duty, and Microsoft Graph for Entra ID only', () => {
    assert.deepEqual(identity('  duties: { auditor: [Audit], lead: [Lead] }\n'), []);
    assert.deepEqual(identity('  duties: { auditor: [Audit], lead: [Audit] }\n'), [
      "'identity.duties.lead' has 'Audit', which means 'auditor' already.",
    ]);
    const graph = 'tokenUrl: http://login.example.com/token, clientId: c, clientSecretEnv: S';
    assert.equal(identity(`  profile: entra\n  graph: { ${graph} }\n`).length, 1);
    assert.equal(identity(`  profile: okta\n  graph: { ${graph} }\n`).length, 2);
    assert.match(identity('  profile: octa\n')[0] ?? '', /okta/);
  });

  it('takes plain http for the machine itself only', () => {
    const withIssuer = (issuer: string) =>
      problems(SERVER_FILE.replace('https://login.example.com/realms/ml', issuer));
    assert.deepEqual(withIssuer('http://127.0.0.1:4100'), []);
    assert.match(withIssuer('http://login.example.com')[0] ?? '', /must begin with https/);
    assert.match(
      problems(`${SERVER_FILE}publicUrl: http://oam.example.com\n`)[0] ?? '',
      /'publicUrl' must begin with https/,
    );
    assert.match(
      problems(`${SERVER_FILE}publicUrl: https://oam.example.com/x\n`)[0] ?? '',
      /must be an origin/,
    );
  });

  it('refuses a database address that is none, without repeating it', () => {
    assert.match(problems(`${SERVER_FILE}databaseUrl: env:NOT_SET\n`)[0] ?? '', /not set: env:NOT_SET/);
    const found = problems(`${SERVER_FILE}databaseUrl: mysql://u:hunter22@h/d\n`);
    assert.match(found[0] ?? '', /must begin with postgres/);
    assert.doesNotMatch(found.join(), /hunter22/);
  });

  it('polls for due work at least every second', () => {
    assert.match(
      problems(`${SERVER_FILE}effects: { pollMs: 5000 }\n`)[0] ?? '',
      /'effects.pollMs' must be at most 1000/,
    );
  });

  it('lets no signing key be replaced before it was known for as long as others may keep old copies', () => {
    assert.match(
      problems(`${SERVER_FILE}issuer: { publishAheadMinutes: 4 }\n`)[0] ?? '',
      /'issuer.publishAheadMinutes' must be at least 5/,
    );
    assert.match(
      problems(`${SERVER_FILE}issuer: { rotateAfterDays: 1 }\n`)[0] ?? '',
      /'issuer.publishAheadMinutes' must be less than 'issuer.rotateAfterDays'/,
    );
    assert.deepEqual(problems(`${SERVER_FILE}issuer: { rotateAfterDays: 1, publishAheadMinutes: 60 }\n`), []);
  });

  it('takes workloads by profile, and refuses an issuer that would let in everybody', () => {
    const workloads = (yaml: string): string =>
      `${SERVER_FILE}workloads:\n  audience: urn:oam:workloads\n  issuers:\n${yaml}`;
    const github = '    - { name: github, profile: github-actions, only: { repository_owner: [acme] } }\n';
    const trust = parse(workloads(github)).workloads;
    assert.equal(trust?.issuers[0]?.issuer, 'https://token.actions.githubusercontent.com');
    assert.deepEqual(trust.issuers[0]?.run, {
      claims: ['repository_id', 'run_id', 'run_attempt'],
      graceMinutes: 10,
    });
    for (const [yaml, words] of [
      ['    - { name: github, profile: github-actions }\n', /everybody can get a token/],
      ['    - { name: aws, profile: aws-iam }\n', /'workloads.issuers.0.issuer' is missing/],
      [`${github}${github}`, /taken by another issuer/],
      ['    - { name: x, profile: oidc, issuer: "http://login.example.com" }\n', /https/],
      [
        '    - { name: x, profile: oidc, issuer: "https://a.example.com", run: { claims: [job] } }\n',
        /not listed: job/,
      ],
      [
        '    - { name: x, profile: oidc, issuer: "https://a.example.com", only: { job: [a] } }\n',
        /not one of the claims/,
      ],
      ['    - { name: x, profile: githubactions }\n', /profile/],
    ] as const) {
      assert.match(problems(workloads(yaml)).join('\n'), words);
    }
    for (const taken of ['urn:oam:control-plane', 'oam-editor', '0d3c8a4e-51b7-4f2e-9c66-2f6f0a7be101']) {
      assert.match(
        problems(workloads(github).replace('urn:oam:workloads', taken)).join(),
        /'workloads.audience' must be of its own/,
      );
    }
  });

  it('names the variable of a secret that is not there', () => {
    assert.equal(secretFromEnvironment('A', { A: 'x' }), 'x');
    for (const environment of [{}, { A: '' }]) {
      assert.throws(
        () => secretFromEnvironment('A', environment),
        (error) => hasCode(error, 'secret_missing') && error.detail === 'A',
      );
    }
  });

  it('suggests only what is near enough to have been meant', () => {
    assert.equal(nearest('sensitivty', ['sensitivity', 'servicePrincipal']), 'sensitivity');
    assert.equal(nearest('colour', ['sensitivity', 'servicePrincipal']), undefined);
    assert.equal(nearest('x', []), undefined);
  });
});
