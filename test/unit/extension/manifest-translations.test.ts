import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import * as z from 'zod';

import { bundlePath, collectTexts } from '../../../build/l10n.ts';
import { packagedPatterns } from '../../../build/package.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const bundles = path.dirname(bundlePath);

type Texts = Readonly<Record<string, string>>;

function textsOf(...names: string[]): Texts {
  return z.record(z.string(), z.string()).parse(JSON.parse(readFileSync(path.join(...names), 'utf8')));
}

/** What a translation has to carry over as it is, in any order: placeholders, icons, code, links, names of settings. */
function verbatim(text: string): string[] {
  return [...text.matchAll(/\{\d+\}|\$\([\w-]+\)|`[^`]+`|\]\([^)]+\)|'http\.\w+'|https:\/\//g)]
    .map(([part]) => part)
    .sort();
}

/** The words of a text, without what has to stay as it is. */
function wordsOf(text: string): string[] {
  return (
    text.replace(/\{\d+\}|\$\([\w-]+\)|`[^`]+`|\]\([^)]+\)/g, ' ').match(/[\p{Letter}][\p{Letter}’']*/gu) ??
    []
  );
}

/** Words that every English sentence has some of, and no translation has. */
const ENGLISH = new Set([
  'the',
  'is',
  'are',
  'your',
  'you',
  'and',
  'with',
  'this',
  'that',
  'not',
  'of',
  'for',
]);

/** Keys whose translation is the English text, or English in part. One word may be the same in both languages. */
function leftInEnglish(english: Texts, translated: Texts): string[] {
  return Object.entries(translated)
    .filter(
      ([key, text]) =>
        text.trim() === '' ||
        (text === english[key] && wordsOf(text).length > 1) ||
        wordsOf(text).some((word) => ENGLISH.has(word.toLowerCase())),
    )
    .map(([key]) => key);
}

const LANGUAGES = readdirSync(bundles).flatMap(
  (name) => /^bundle\.l10n\.([\w-]+)\.json$/.exec(name)?.[1] ?? [],
);

describe('the translations of the extension', () => {
  const messages = collectTexts().texts;
  const manifestTexts = textsOf(root, 'package.nls.json');

  it('are there, and begin with German', () => {
    assert(LANGUAGES.includes('de'));
  });

  it('notice a sentence that was left in English', () => {
    const english = { a: 'You are signed in.', b: 'Sign Out', c: 'Jobs', d: 'Use {0}', e: 'Team: {0}' };
    assert.deepEqual(leftInEnglish(english, english), ['a', 'b']);
    assert.deepEqual(leftInEnglish(english, { a: 'Sie are angemeldet.', c: ' ' }), ['a', 'c']);
    assert.deepEqual(leftInEnglish(english, { a: 'Sie sind angemeldet.', c: 'Jobs', e: 'Team: {0}' }), []);
  });

  for (const language of LANGUAGES) {
    const manifest = `package.nls.${language}.json`;
    const bundle = `bundle.l10n.${language}.json`;
    const pairs = (): [string, Texts, Texts][] => [
      [`l10n/${bundle}`, messages, textsOf(bundles, bundle)],
      [manifest, manifestTexts, textsOf(root, manifest)],
    ];

    it(`have every text in ${language}, and no text that nobody shows`, () => {
      for (const [file, english, translated] of pairs()) {
        const missing = Object.keys(english).filter((key) => !(key in translated));
        const superfluous = Object.keys(translated).filter((key) => !(key in english));
        assert.deepEqual({ missing, superfluous }, { missing: [], superfluous: [] }, file);
      }
    });

    it(`keep placeholders, links and code in ${language}`, () => {
      for (const [file, english, translated] of pairs())
        for (const [key, text] of Object.entries(translated))
          assert.deepEqual(verbatim(text), verbatim(english[key] ?? ''), `${file}: ${key}`);
    });

    it(`leave no sentence in English in ${language}`, () => {
      for (const [file, english, translated] of pairs())
        assert.deepEqual(leftInEnglish(english, translated), [], file);
    });

    it(`call a command in ${language} what the menus call it`, () => {
      const titles = textsOf(root, manifest);
      const translated = textsOf(bundles, bundle);
      const quoted = (title: string | undefined): string => `'${title?.replace(/…$/, '') ?? ''}'`;
      for (const key of Object.keys(manifestTexts).filter((candidate) => candidate.startsWith('command.')))
        for (const [message, text] of Object.entries(translated))
          if (message.includes(quoted(manifestTexts[key])))
            assert(text.includes(quoted(titles[key])), `${message}: ${quoted(titles[key])}`);
    });

    it(`are packed in ${language}`, async () => {
      const packed = await packagedPatterns();
      assert(packed.includes(`l10n/bundle.l10n.${language}.json`) && packed.includes(manifest));
    });
  }
});
