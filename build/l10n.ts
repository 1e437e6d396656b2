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

/** What is to be translated. */
export interface Collected {
  /** All texts, sorted, each under itself: the form in which VS Code looks translations up. */
  readonly texts: Record<string, string>;
  /** Places (`file:line`) where a text is shown that cannot be read from the code, so that nobody can translate it. */
  readonly unreadable: readonly string[];
}

/** Reads every text out of the code. */
export function collectTexts(): Collected {
  const texts = new Set<string>();
  const unreadable: string[] = [];
  for (const room of ROOMS) {
    const folder = path.join(root, 'src', room);
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.ts')) collectFrom(path.join(folder, name), texts, unreadable);
    }
  }
  return { texts: Object.fromEntries([...texts].sort().map((text) => [text, text])), unreadable };
}

function collectFrom(file: string, texts: Set<string>, unreadable: string[]): void {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const collect = (text: ts.Expression): void => {
    if (ts.isStringLiteralLike(text)) {
      texts.add(text.text);
    } else if (ts.isConditionalExpression(text)) {
      collect(text.whenTrue);
      collect(text.whenFalse);
    } else if (!isCollectedElsewhere(text)) {
      const { line } = source.getLineAndCharacterOfPosition(text.getStart());
      unreadable.push(`${path.relative(root, file)}:${String(line + 1)}`);
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isTranslation(node.expression)) {
      const [text] = node.arguments;
      if (text !== undefined) collect(text);
    }
    if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && ERRORS.has(node.expression.text)) {
      const sentence = node.arguments?.[1];
      if (sentence !== undefined) collect(sentence);
    }
    // Tables of sentences: `sentence: '…'`.
    if (ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) && node.name.text === 'sentence') {
      collect(node.initializer);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/** `….sentence` was written down somewhere as `sentence: '…'`, or came with an error, or over the wire. */
function isCollectedElsewhere(text: ts.Expression): boolean {
  return ts.isPropertyAccessExpression(text) && text.name.text === 'sentence';
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
  return `${JSON.stringify(collectTexts().texts, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(bundlePath, renderBundle());
  console.log(`${path.relative(root, bundlePath)} written`);
}
