import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod';

import { ROOT } from '../../demo/stage/folders.ts';
import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { editors } from './editors.ts';
import { picture } from './pictures.ts';

const Texts = z.record(z.string(), z.string());

describe('a window in German', () => {
  const there = editors();

  /** Our words in German: those of the code by themselves, those of the manifest by their English ones. */
  async function german(): Promise<(english: string) => string> {
    const read = async (file: string) => Texts.parse(JSON.parse(await readFile(join(ROOT, file), 'utf8')));
    const bundle = await read('l10n/bundle.l10n.de.json');
    const [english, translated] = [await read('package.nls.json'), await read('package.nls.de.json')];
    for (const [key, text] of Object.entries(english)) bundle[text] ??= translated[key] ?? text;
    return (text) => bundle[text] ?? assert.fail(`There is no German for: ${text}`);
  }

  it('speaks German in the side bar, and in its first steps', async () => {
    const say = await german();
    const ana = await there().open('ana-de', {
      trusted: false,
      signedInAs: PEOPLE.ana,
      language: { id: 'de', say },
    });
    await ana.workbench.widenSideBar(480);
    await ana.line('ml-prod', say('Roles you can ask for'), /Query the recsys ranker.*sofort/);
    await ana.line(
      'ml-prod',
      say('What you can see now'),
      say('Serving endpoints'),
      /recsys-ranker-prod.*CAN_VIEW über ml-recsys|CAN_VIEW.*ml-recsys/,
    );
    await picture(ana, 'german');
    await ana.openWalkthrough();
    await ana.page.getByText(say('Give it back')).first().waitFor();
    await picture(ana, 'walkthrough-german');
  });
});
