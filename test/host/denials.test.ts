import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { PersonAtWindow } from './person.ts';
import { until } from './until.ts';

const REFUSED =
  "PERMISSION_DENIED: User ana.silva@example.com does not have permission 'Query' on endpoint 'recsys-ranker-prod'.";

describe('a problem that says that Databricks refused something', () => {
  it('has a quick fix that asks for the smallest role that would have allowed it, and others have none', async () => {
    using ana = new PersonAtWindow().signsInAs(PEOPLE.ana);
    await vscode.commands.executeCommand('databricksMlOam.signIn');
    await ana.browsed();
    const document = await vscode.workspace.openTextDocument({
      language: 'python',
      content: 'query()\nother()\n',
    });
    const first = new vscode.Range(0, 0, 0, 7);
    const second = new vscode.Range(1, 0, 1, 7);
    const problems = vscode.languages.createDiagnosticCollection('test');
    problems.set(document.uri, [
      new vscode.Diagnostic(first, REFUSED),
      new vscode.Diagnostic(second, 'permission denied (publickey)'),
    ]);
    const fixes = async (range: vscode.Range): Promise<vscode.CodeAction[]> => {
      const found = await vscode.commands.executeCommand<vscode.CodeAction[]>(
        'vscode.executeCodeActionProvider',
        document.uri,
        range,
      );
      return found.filter(({ command }) => command?.command === 'databricksMlOam.requestAccess');
    };
    try {
      const [fix] = await until('there is a quick fix', async () => {
        const found = await fixes(first);
        return found.length > 0 && found;
      });
      assert.equal(fix?.title, 'Request access: Query the recsys ranker');
      assert.equal(fix.kind?.value, vscode.CodeActionKind.QuickFix.value);
      assert.deepEqual(await fixes(second), []);
    } finally {
      problems.dispose();
      await vscode.commands.executeCommand('databricksMlOam.signOut');
    }
  });
});
