import assert from 'node:assert/strict';
import { readFile, rename, rm } from 'node:fs/promises';

import { FileProblemsError } from '../../../../src/control-plane/configuration/problems.ts';
import { expectClaimed } from '../../../../src/control-plane/policy/attributes.ts';
import { loadPolicy } from '../../../../src/control-plane/policy/publish.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { ENVIRONMENT, type PolicyFolder, policyFolder } from './folder.ts';

describe('publishing a policy', function () {
  this.timeout(20_000);
  let folder: PolicyFolder;

  beforeEach(async () => {
    folder = await policyFolder();
  });
  afterEach(() => folder.remove());

  const load = () => loadPolicy(folder.path, ENVIRONMENT);

  /** The problems of a refused folder, as `file:line: message` with the folder's path taken off. */
  const problems = async (): Promise<string[]> => {
    try {
      await load();
    } catch (error) {
      assert.ok(error instanceof FileProblemsError, String(error));
      return error.problems.map(
        ({ file, line, message }) => `${file.slice(folder.path.length + 1)}:${line ?? ''}: ${message}`,
      );
    }
    return [];
  };

  const extra = (text: string) => folder.write('extra.cedar', text);

  it('takes the demo policy', async () => {
    assert.deepEqual(await problems(), []);
  });

  it('refuses a rule that lets anybody break the glass', async () => {
    const rule = (when: string): string =>
      `@id("glass") @because("Some glass.") permit(principal, action == Action::"request.break_glass", resource)${when};`;
    for (const [when, open] of [
      ['', true],
      [' when { context.minutes <= 60 }', true],
      [' when { principal.duty == Duty::"ops-engineer" }', false],
      [' when { principal.duty == principal.duty }', true],
      [' when { principal.duty != Duty::"auditor" }', true],
      [' when { !(principal.duty == Duty::"auditor") }', true],
      [' when { (principal.duty == Duty::"auditor") == false }', true],
      [' when { principal.issuer == "https://idp.example" }', true],
      [' when { principal.duty == Duty::"lead" || context.minutes <= 60 }', true],
      [' when { principal.duty == Duty::"lead" || principal.teams.contains(resource.team) }', false],
      [' when { principal.userName like "*" }', true],
      [' unless { principal.duty == Duty::"auditor" }', true],
    ] as const) {
      await extra(rule(when));
      assert.equal(
        (await problems()).some((problem) => problem.includes("The rule 'glass' lets anybody")),
        open,
        when,
      );
    }
  });

  it('refuses a rule that lets anybody read the trail, change the keys or end access', async () => {
    for (const action of ['read_audit', 'rotate_keys', 'revoke']) {
      for (const [when, open] of [
        ['', true],
        [' when { principal.duty == Duty::"lead" }', false],
      ] as const) {
        await extra(
          `@id("wide") @because("Wide.") permit(principal, action == Action::"${action}", resource)${when};`,
        );
        const found = await problems();
        assert.equal(
          found.some((problem) => problem.includes("The rule 'wide' lets anybody")),
          open,
          `${action}${when}: ${found.join('; ')}`,
        );
      }
    }
  });

  it('refuses a rule that lets in workloads without saying whose they are', async () => {
    const rule = (when: string): string =>
      `@id("door") @because("Some door.") permit(principal, action in [Action::"workload"], resource) when { ${when} };`;
    const issuer = 'principal.issuer == "github"';
    const claim = 'principal.hasTag("repository") && principal.getTag("repository") == "acme/x"';
    for (const [when, open] of [
      [`${issuer} && ${claim}`, false],
      [`${issuer} && principal.subject like "repo:acme/*"`, false],
      [issuer, true],
      [claim, true],
      [`(${issuer} || resource.sensitivity == Sensitivity::"low") && ${claim}`, true],
      [`${issuer} && principal.hasTag("repository")`, true],
      ['resource.sensitivity == Sensitivity::"low"', true],
      [`principal.issuer == principal.issuer && ${claim}`, true],
      [`${issuer} && principal.subject == principal.subject`, true],
      [`${issuer} && principal.subject like "*"`, true],
      [`${issuer} && (principal.subject == "a" || true)`, true],
      [`${issuer} && (principal.subject == "a" || principal.subject == "b")`, false],
      [`${issuer} && ["a", "b"].contains(principal.subject)`, false],
      [`${issuer} && [principal.subject].contains("a") == true`, true],
      [`${issuer} && (principal.subject == "a") == false`, true],
    ] as const) {
      await extra(rule(when));
      const found = await problems();
      assert.equal(
        found.some((problem) => problem.includes("The rule 'door' lets in workloads")),
        open,
        `${when}: ${found.join('; ')}`,
      );
    }
  });

  it('takes the rules that its own page of documentation shows', async () => {
    const page = await readFile(new URL('../../../../docs/policy.md', import.meta.url), 'utf8');
    const shown = [...page.matchAll(/```cedar\n([\s\S]*?)```/g)].map(([, rule = '']) => rule);
    assert.ok(shown.length >= 2);
    await folder.write('requests.cedar', shown.join('\n'));
    assert.deepEqual(await problems(), []);
  });

  it('refuses a misspelt attribute, says which was meant, and on which line', async () => {
    await folder.replace(
      'requests.cedar',
      'resource.sensitivity == Sensitivity',
      'resource.sensitivty == Sensitivity',
    );
    const [problem, ...others] = await problems();
    assert.deepEqual(others, []);
    assert.match(problem ?? '', /^requests\.cedar:\d+: .*`sensitivty`.*did you mean `sensitivity`\?$/);
    const lines = (await readFile(`${folder.path}/requests.cedar`, 'utf8')).split('\n');
    const line = Number(/:(\d+):/.exec(problem ?? '')?.[1]);
    assert.match(lines[line - 1] ?? '', /sensitivty/);
  });

  it('refuses a value that does not exist', async () => {
    await folder.replace('requests.cedar', 'Sensitivity::"low"', 'Sensitivity::"lo"');
    assert.match((await problems()).join('\n'), /valid entity eids: "low", "medium", "high"/);
  });

  it('refuses an action that does not exist', async () => {
    await folder.replace('oversight.cedar', 'Action::"read_audit"', 'Action::"read_audits"');
    assert.match((await problems()).join('\n'), /did you mean `Action::"read_audit"`\?/);
  });

  it('refuses an optional fact that is read without asking whether it is there', async () => {
    await extra(
      '@id("ticket") @because("A ticket.") forbid(principal, action == Action::"request.at_once", resource) when { context.ticket == "" };',
    );
    assert.match((await problems()).join('\n'), /^extra\.cedar:1: .*context has ticket/);
  });

  it('refuses a rule that can never apply', async () => {
    await extra('@id("never") @because("Never.") forbid(principal, action, resource) when { false };');
    assert.match((await problems()).join('\n'), /impossible/);
  });

  it('refuses what is not Cedar, with the line', async () => {
    await extra(
      '\n\n@id("x") @because("X.") permit(principal, action, resource) when { context.minutes <== 3 };',
    );
    assert.match((await problems())[0] ?? '', /^extra\.cedar:3: unexpected token/);
  });

  it('wants of every rule an id of its own and a sentence', async () => {
    await extra(
      [
        'permit(principal, action == Action::"revoke", resource);',
        '@id("quiet") permit(principal, action == Action::"revoke", resource);',
        '@id("leads-revoke") @because("Again.") permit(principal, action == Action::"approve", resource);',
        '@id("Loud One") @because("Loud.") permit(principal, action == Action::"approve", resource);',
      ].join('\n'),
    );
    const found = await problems();
    assert.equal(found.length, 4);
    assert.match(found[0] ?? '', /^extra\.cedar:1: The rule needs @id/);
    assert.match(found[1] ?? '', /^extra\.cedar:2: The rule 'quiet' needs @because/);
    assert.match(found[2] ?? '', /^extra\.cedar:4: The rule needs @id\("…"\) of lower-case/);
    assert.match(found[3] ?? '', /^oversight\.cedar:\d+: There is another rule 'leads-revoke'/);
  });

  it('refuses a rule that speaks of an attribute which the catalogue does not name, or computes its name', async () => {
    const rule = (condition: string): Promise<void> =>
      extra(
        `@id("of-a-site") @because("S.") permit(principal, action == Action::"approve", resource) when { ${condition} };`,
      );
    await rule('principal.hasTag("oncall") && principal.getTag("oncall").contains("platform")');
    assert.match((await problems())[0] ?? '', /speaks of 'oncall'.*Did you mean 'on_call'\?/);
    await rule('principal.hasTag(principal.userName)');
    assert.match((await problems())[0] ?? '', /computes the name of an attribute/);
    await rule('principal.getTag("on_call").contains("platform")');
    assert.match((await problems())[0] ?? '', /tag/, 'a tag is read without asking for it');
    await rule('principal.hasTag("on_call") && principal.getTag("on_call") == "platform"');
    assert.notEqual((await problems()).length, 0, 'a set was compared with a text');
    await rule('principal.hasTag("on_call") && principal.getTag("on_call").contains("platform")');
    const policy = await load();
    expectClaimed(policy, folder.path, ['site', 'on_call']);
    assert.throws(
      () => {
        expectClaimed(policy, folder.path, ['oncall']);
      },
      (error) =>
        error instanceof Error && /'on_call' is in no token.*Did you mean 'oncall'\?/s.test(error.message),
    );
  });

  it('refuses a template', async () => {
    await extra('@id("t") @because("T.") permit(principal == ?principal, action, resource);');
    assert.match((await problems())[0] ?? '', /Templates are not used here/);
  });

  it('refuses a schema that is not one, and one that does not describe the facts', async () => {
    await folder.replace('schema.cedarschema', 'issuer: String', 'issuer: Strin');
    assert.match((await problems())[0] ?? '', /^schema\.cedarschema:\d+: .*Strin/);
    await folder.replace('schema.cedarschema', 'issuer: Strin', 'issuer: Long');
    assert.match((await problems())[0] ?? '', /does not describe the facts that OAM gives/);
  });

  it('refuses a folder without rules, without a schema, and one that is not there', async () => {
    await folder.write('requests.cedar', '// nothing');
    await folder.write('oversight.cedar', '');
    assert.match((await problems())[0] ?? '', /no \.cedar file with a rule/);
    await rm(`${folder.path}/schema.cedarschema`);
    assert.match((await problems())[0] ?? '', /^schema\.cedarschema:: The file is missing/);
    await assert.rejects(loadPolicy(`${folder.path}/none`, ENVIRONMENT), (error) =>
      hasCode(error, 'policy_folder_missing'),
    );
  });

  it('names a version by what decides: not by file names, but by every rule, role and host', async () => {
    const first = await load();
    assert.match(first.hash, /^[0-9a-f]{64}$/);
    assert.equal((await load()).hash, first.hash);

    await rename(`${folder.path}/oversight.cedar`, `${folder.path}/a-new-name.cedar`);
    assert.equal((await load()).hash, first.hash);

    await folder.replace('catalogue.yaml', 'maxMinutes: 480', 'maxMinutes: 481');
    const second = await load();
    assert.notEqual(second.hash, first.hash);
    await folder.replace('requests.cedar', 'at once.', 'right away.');
    const third = await load();
    assert.notEqual(third.hash, second.hash);
    const elsewhere = await loadPolicy(folder.path, {
      ...ENVIRONMENT,
      OAM_WORKSPACE_PROD: 'https://x.cloud.databricks.com',
    });
    assert.notEqual(elsewhere.hash, third.hash);
  });
});
