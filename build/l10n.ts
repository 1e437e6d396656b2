/**
 * Collects every text that the extension shows into `l10n/bundle.l10n.json`, for translators. `node build/l10n.ts`
 * writes the file. Texts of the lower rooms' errors are translated where they are shown, so they are collected too.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

import { root } from './bundle.ts';

/** Rooms whose errors reach the editor. */
const ROOMS = ['extension', 'broker', 'identity', 'databricks', 'protocol', 'domain'];

/** Errors whose second argument is a sentence for people. */
const ERRORS = new Set(['OamError']);

/** The bundle's path. */
export const bundlePath = path.join(root, 'l10n', 'bundle.l10n.json');

/** All texts, sorted, each under itself: the form in which VS Code looks translations up. */
export function collectTexts(): Record<string, string> {
  const texts = new Set<string>();
  for (const room of ROOMS) {
    const folder = path.join(root, 'src', room);
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.ts')) collectFrom(path.join(folder, name), texts);
    }
  }
  return Object.fromEntries([...texts].sort().map((text) => [text, text]));
}

function collectFrom(file: string, texts: Set<string>): void {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isTranslation(node.expression)) {
      const [text] = node.arguments;
      if (text !== undefined && ts.isStringLiteralLike(text)) texts.add(text.text);
    }
    if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && ERRORS.has(node.expression.text)) {
      const sentence = node.arguments?.[1];
      if (sentence !== undefined && ts.isStringLiteralLike(sentence)) texts.add(sentence.text);
    }
    // Tables of sentences: `sentence: '…'`.
    if (
      ts.isPropertyAssignment(node) &&
      ts.isIdentifier(node.name) &&
      node.name.text === 'sentence' &&
      ts.isStringLiteralLike(node.initializer)
    ) {
      texts.add(node.initializer.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

function isTranslation(callee: ts.Expression): boolean {
  return (
    ts.isPropertyAccessExpression(callee) &&
    callee.name.text === 't' &&
    /\bl10n$/.test(callee.expression.getText())
  );
}

/** The bundle's text. */
export function renderBundle(): string {
  return `${JSON.stringify(collectTexts(), null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(bundlePath, renderBundle());
  console.log(`${path.relative(root, bundlePath)} written`);
}
