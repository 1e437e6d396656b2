import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { runCommandLine } from '../../../src/cli/program.ts';
import { FileProblemsError } from '../../../src/control-plane/configuration/problems.ts';
import { loadPolicy } from '../../../src/control-plane/policy/publish.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { DEMO_POLICY, ENVIRONMENT, type PolicyFolder, policyFolder } from '../control-plane/policy/folder.ts';
import { fakeInvocation } from './fake-control-plane.ts';

describe('oam policy', function () {
  this.timeout(20_000);
  let folder: PolicyFolder;
  beforeEach(async () => {
    folder = await policyFolder();
  });
  afterEach(() => folder.remove());

  const run = async (...words: string[]): Promise<{ exitCode: number; said: string }> => {
    const { invocation, answers } = fakeInvocation();
    const exitCode = await runCommandLine(['policy', ...words], { ...invocation, env: ENVIRONMENT }, '0');
    return { exitCode, said: answers.join('\n') };
  };

  const only = (text: string) =>
    Promise.all([
      rm(`${folder.path}/tests/duties.yaml`, { force: true }),
      writeFile(`${folder.path}/tests/requests.yaml`, text),
    ]);

  const PEOPLE = `people:
  ana: { duty: data-scientist, groups: [ml-recsys] }
  lena: { duty: lead, groups: [ml-recsys, ml-recsys-leads] }
`;

  it('test passes for the shipped policy, and says which rules no case needs', async () => {
    const { exitCode, said } = await run('test', DEMO_POLICY);
    assert.equal(exitCode, 0, said);
    assert.match(
      said,
      /^(\d+) cases: \1 passed, 0 failed\.\nRules that decided in none: .*oversight\.cedar:\d+/,
    );
  });

  it('test fails where a rule was opened too far', async () => {
    await folder.replace('requests.cedar', 'principal.duty == Duty::"data-scientist" &&', '');
    const { exitCode, said } = await run('test', folder.path);
    assert.equal(exitCode, 1);
    assert.match(said, /requests\.yaml:\d+: .*\n {2}- refused\n {2}\+ at_once\n[^]* {4}Data scientists get/);
    const json = JSON.parse((await run('test', folder.path, '--json')).said) as {
      failed: number;
      cases: { differences: unknown[] }[];
    };
    assert.ok(json.failed > 0);
    assert.equal(json.cases.filter(({ differences }) => differences.length > 0).length, json.failed);
  });

  it('test fails where any one of the rules that some case exercises applies to nobody', async () => {
    const { rules } = await loadPolicy(DEMO_POLICY, ENVIRONMENT);
    const { unexercised } = JSON.parse((await run('test', DEMO_POLICY, '--json')).said) as {
      unexercised: { id: string }[];
    };
    for (const rule of rules.filter(({ id }) => !unexercised.some((one) => one.id === id))) {
      const file = basename(rule.file.path);
      await folder.write(
        file,
        rule.file.text.replace(
          rule.text,
          rule.text.replace(/;\s*$/, ' when { principal.issuer == "nobody" };'),
        ),
      );
      assert.equal((await run('test', folder.path)).exitCode, 1, rule.id);
      await folder.write(file, rule.file.text);
    }
  });

  it('test holds a decision, its rules, its words and its approvers to what is expected', async () => {
    await only(`${PEOPLE}cases:
  - { name: Words, who: ana, role: recsys-endpoint-query, expect: at_once, because: No such words }
  - { name: Rules, who: ana, role: recsys-endpoint-query, expect: at_once, rules: [operators-at-once] }
  - { name: Approvers, who: ana, role: recsys-deployer, expect: with_approval, approvers: [] }
  - { name: Good, who: ana, role: recsys-deployer, expect: with_approval, approvers: [lena] }
`);
    const { exitCode, said } = await run('test', folder.path);
    assert.equal(exitCode, 1);
    assert.match(said, /:5: Words\n {2}- because … No such words …\n {2}\+ because Data scientists/);
    assert.match(said, /:6: Rules\n {2}- by operators-at-once\n {2}\+ by low-roles-at-once/);
    assert.match(said, /:7: Approvers\n {2}- approvers: nobody\n {2}\+ approvers: lena/);
    assert.match(said, /4 cases: 1 passed, 3 failed/);
  });

  it('test names what is wrong with a case by file and line, and what was meant', async () => {
    for (const [row, message] of [
      [
        'who: an, role: recsys-deployer, expect: refused',
        /:5: .*there is no person 'an'. Did you mean 'ana'\?/,
      ],
      [
        'who: ana, role: recsys-deploy, expect: refused',
        /no role 'recsys-deploy'. Did you mean 'recsys-deployer'/,
      ],
      ['who: ana, rol: recsys-deployer, expect: refused', /Unknown key 'rol'.*Did you mean 'role'/],
      ['who: ana, role: recsys-deployer, expect: at_onc', /Did you mean 'at_once'/],
      ['who: ana, role: recsys-deployer, expect: allowed', /expect at_once, or with_approval, or refused/],
      ['who: ana, does: approve, role: recsys-deployer, expect: refused', /'approve' needs an 'of'/],
      ['who: ana, does: read_audit, role: recsys-deployer, expect: refused', /'read_audit' takes no 'role'/],
      ['who: ana, does: rotate_keys, ticket: X, expect: refused', /'rotate_keys' takes no 'ticket'/],
      ['who: ana, expect: refused', /'request' needs a 'role'/],
      ['who: ana, role: recsys-deployer, expect: refused, rules: [auditors-hold]', /no rule 'auditors-hold'/],
      ['who: ana, role: recsys-deployer, expect: refused, approvers: [lena]', /only where 'with_approval'/],
    ] as const) {
      await only(`${PEOPLE}cases:\n  - { name: A case, ${row} }\n`);
      await assert.rejects(run('test', folder.path), (error) => {
        assert.ok(error instanceof FileProblemsError, String(error));
        assert.match(error.message, message, row);
        assert.match(error.message, /tests\/requests\.yaml:5/);
        return true;
      });
    }
    await only(
      `people: { ana: { dutty: lead } }\ncases: [{ name: A, who: ana, role: x, expect: refused }]\n`,
    );
    await assert.rejects(run('test', folder.path), /Unknown key 'dutty'.*Did you mean 'duty'/);
    await rm(`${folder.path}/tests`, { recursive: true });
    await assert.rejects(run('test', folder.path), (error) => hasCode(error, 'policy_tests_missing'));
  });

  it('explain tells the decision, its rules and where they stand', async () => {
    const ana = ['--duty', 'data-scientist', '--team', 'recsys'];
    const atOnce = await run('explain', DEMO_POLICY, '--role', 'recsys-endpoint-query', ...ana);
    assert.match(
      atOnce.said,
      /for 60 minutes: at once\nAllowed by:\n {2}low-roles-at-once \(requests\.cedar:3\)/,
    );
    const approved = await run('explain', DEMO_POLICY, '--role', 'recsys-deployer', ...ana, '--for', '1h');
    assert.match(
      approved.said,
      /for 60 minutes: with approval[^]*Who approves:\n {2}1\. 1 of ml-recsys-leads/,
    );
    const missing = await run('explain', DEMO_POLICY, '--role', 'recsys-deployer', '--lead', 'recsys');
    assert.match(
      missing.said,
      /refused\nNo rule forbids it[^]*sensitive-roles-after-approval[^]*- your duty is 'data-scientist'/,
    );
    const forbidden = await run(
      ...['explain', DEMO_POLICY, '--role', 'recsys-endpoint-query', '--duty', 'auditor'],
    );
    assert.match(forbidden.said, /refused\nForbidden by:\n {2}auditors-hold-nothing \(requests\.cedar:\d+\)/);
    const longer = await run('explain', DEMO_POLICY, '--role', 'recsys-deployer', ...ana, '--for', '9h');
    assert.match(longer.said, /refused\nThis holds whatever the rules say:/);
    const pipeline = await run(
      ...['explain', DEMO_POLICY, '--role', 'recsys-deployer', '--workload', 'github', '--json'],
      ...['--claim', 'repository=acme/recsys-models', 'ref=refs/heads/main', 'environment=production'],
    );
    const { decision, rules } = JSON.parse(pipeline.said) as { decision: string; rules: { id: string }[] };
    assert.deepEqual([decision, rules.map(({ id }) => id)], ['at_once', ['deployments-from-main']]);
  });

  it('explain takes nothing that means nothing', async () => {
    for (const words of [
      ['--role', 'recsys-endpoint-query', '--duty', 'boss'],
      ['--role', 'recsys-endpoint-query', '--team', 'nobody'],
      ['--role', 'recsys-endpoint-query', '--attribute', 'on_call'],
      ['--role', 'recsys-endpoint-query', '--hour', '24'],
      ['--role', 'recsys-endpoint-query', '--weekday', 'Monday'],
    ]) {
      await assert.rejects(run('explain', DEMO_POLICY, ...words), (error) => hasCode(error, 'usage'));
    }
    for (const words of [[DEMO_POLICY], ['--role', 'x'], [DEMO_POLICY, '--request', 'r1'], []]) {
      await assert.rejects(run('explain', ...words), (error) => hasCode(error, 'usage'), words.join(' '));
    }
    await assert.rejects(run('explain', DEMO_POLICY, '--role', 'none'), (error) =>
      hasCode(error, 'unknown_role'),
    );
  });

  it('init writes a policy that passes its checks and its cases at once, and writes over nothing', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'oam-init-'));
    try {
      const fresh = join(parent, 'policy');
      await run('init', fresh);
      const { invocation, answers } = fakeInvocation();
      for (const word of ['check', 'test']) {
        const exitCode = await runCommandLine(['policy', word, fresh], { ...invocation, env: {} }, '0');
        assert.equal(exitCode, 0, answers.join('\n'));
      }
      await writeFile(join(fresh, 'catalogue.yaml'), 'mine');
      await assert.rejects(run('init', fresh), (error) => hasCode(error, 'folder_not_empty'));
      assert.equal(await readFile(join(fresh, 'catalogue.yaml'), 'utf8'), 'mine');
    } finally {
      await rm(parent, { recursive: true });
    }
  });
});
