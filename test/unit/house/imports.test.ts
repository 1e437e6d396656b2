import assert from 'node:assert/strict';

import { ESLint } from 'eslint';

/** What the lint rules say about one line of code as if it stood in a file of the given room. */
async function complaints(filePath: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath });
  return (result?.messages ?? []).map((message) => message.ruleId ?? '');
}

const eslint = new ESLint({
  overrideConfig: { languageOptions: { parserOptions: { projectService: false, project: false } } },
  // Only the rules of the house: the type-aware ones need files that exist.
  ruleFilter: ({ ruleId }) =>
    ['@typescript-eslint/no-restricted-imports', 'no-restricted-properties', 'no-restricted-syntax'].includes(
      ruleId,
    ),
});

describe('the house', function () {
  this.timeout(30_000);

  it('refuses an import that goes up', async () => {
    assert.deepEqual(
      await complaints('src/domain/x.ts', `import { y } from '../protocol/y.ts';\nexport const z = y;`),
      ['@typescript-eslint/no-restricted-imports'],
    );
    assert.deepEqual(
      await complaints(
        'src/identity/flows/x.ts',
        `import { y } from '../../broker/y.ts';\nexport const z = y;`,
      ),
      ['@typescript-eslint/no-restricted-imports'],
    );
  });

  it('lets an import go down', async () => {
    assert.deepEqual(
      await complaints('src/control-plane/x.ts', `import { y } from '../domain/y.ts';\nexport const z = y;`),
      [],
    );
  });

  it("keeps 'vscode' in the extension", async () => {
    const code = `import * as vscode from 'vscode';\nexport const z = vscode;`;
    assert.deepEqual(await complaints('src/broker/x.ts', code), ['@typescript-eslint/no-restricted-imports']);
    assert.deepEqual(await complaints('src/extension/x.ts', code), []);
  });

  it('keeps the machine clock out of the rules and of the server', async () => {
    assert.deepEqual(await complaints('src/domain/x.ts', 'export const t = Date.now();'), [
      'no-restricted-properties',
    ]);
    assert.deepEqual(await complaints('src/control-plane/x.ts', 'export const t = new Date();'), [
      'no-restricted-syntax',
    ]);
  });
});
