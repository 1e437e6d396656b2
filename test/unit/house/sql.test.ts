import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';

import ts from 'typescript';

import { migrations } from '../../../src/control-plane/store/migrations/index.ts';

/**
 * What lives with a session rather than with a transaction. A pooler between us and the database, or one that scales to
 * zero, takes sessions away without a word.
 */
const OF_A_SESSION: readonly RegExp[] = [
  /\bpg_(?:try_)?advisory_/i,
  /\bpg_notify\b/i,
  /\b(?:set_config|currval|lastval)\s*\(/i,
  /\btemp(?:orary)?\s+(?:table|view|sequence)\b/i,
  /\bwith\s+hold\b/i,
  /(?:^|;)\s*(?:listen|unlisten|notify|prepare|execute|deallocate|discard|load|reset)\b/i,
  /(?:^|;)\s*set\s+(?!transaction\b)/i,
];

/** The texts of a file that go to the database: templates tagged `sql`, and what `sql.raw` and `query` are given. */
function statementsOf(path: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isTaggedTemplateExpression(node) && /^sql\b/.test(node.tag.getText())) {
      found.push(node.template.getText().slice(1, -1));
    }
    if (ts.isCallExpression(node) && /(?:^sql\.raw|\.query)$/.test(node.expression.getText())) {
      const [text] = node.arguments;
      if (text !== undefined) found.push(text.getText().replace(/^['"`]|['"`]$/g, ''));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const isOfASession = (statement: string): boolean => OF_A_SESSION.some((words) => words.test(statement));

describe('what goes to the database', () => {
  it('lives no longer than its transaction', () => {
    const files = globSync('src/control-plane/**/*.ts');
    const statements = files.flatMap((file) => statementsOf(file).map((statement) => ({ file, statement })));
    assert.ok(statements.length > 60, `only ${statements.length} statements were found`);
    for (const { name, sql } of migrations) statements.push({ file: name, statement: sql });
    assert.deepEqual(
      statements.filter(({ statement }) => isOfASession(statement)),
      [],
    );
  });

  it('is told from what would live longer', () => {
    for (const statement of [
      'select pg_try_advisory_lock(1)',
      'select pg_advisory_xact_lock($1)',
      'listen oam',
      "select 1; notify oam, 'x'",
      'create temporary table x (n integer)',
      'set statement_timeout = 5',
      "select set_config('a', 'b', false)",
      'prepare p as select 1',
      'declare c cursor with hold for select 1',
    ]) {
      assert.ok(isOfASession(statement), statement);
    }
    for (const statement of [
      'update oam.clock set ahead_ms = 0',
      'set transaction isolation level repeatable read',
      'select oam.now()',
      'select 1 for update skip locked',
    ]) {
      assert.ok(!isOfASession(statement), statement);
    }
  });

  it('is never a statement with a name, which a pooler does not know', () => {
    const named = globSync('src/control-plane/**/*.ts').filter((file) =>
      /\.query(?:<[^>]*>)?\(\s*\{[^}]*\bname:/.test(readFileSync(file, 'utf8')),
    );
    assert.deepEqual(named, []);
  });
});
