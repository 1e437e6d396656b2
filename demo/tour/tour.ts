import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Page } from 'playwright-core';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import type { Cleanup } from '../stage/cleanup.ts';
import { ROOT } from '../stage/folders.ts';
import { OamWindow } from './oamWindow.ts';
import { setScene } from './scene.ts';
import { StepFailed, Steps } from './steps.ts';
import type { Terminal } from './workbench.ts';

/** Where the tour leaves its screenshots unless told. */
const PICTURES = join(ROOT, '.demo', 'tour');

const WINDOW_MINUTES = 2;

/** Databricks' own words, without what the SDK adds of its settings. */
const DENIED = /PERMISSION_DENIED: .*?\.(?= [A-Z]|$)/m;

const QUERY_ROLE = 'Query the recsys ranker';
const PROMOTE_ROLE = 'Promote the recsys ranker';

/** A window, and what Databricks takes to forget it: read as absent twice. */
const GONE_WITHIN_MS = WINDOW_MINUTES * 60_000 + 45_000;

const note = (line: string): void => {
  console.error(line);
};

/**
 * Plays the path of a new user in a headless browser. Standard output has one JSON line a step and nothing else.
 *
 * @param folder For the screenshots.
 * @returns True only if every step was seen to be true.
 */
export async function playTour(cleanup: Cleanup, folder?: string): Promise<boolean> {
  const pictures = folder ?? PICTURES;
  const steps = new Steps(pictures, (line) => {
    console.log(JSON.stringify(line));
  });
  // Of a folder that somebody named nothing is removed.
  if (folder === undefined) await rm(PICTURES, { recursive: true, force: true });
  await steps.start();
  const { stage, windows, browser } = await setScene({ cleanup, log: note, absenceConfirmMs: 3_000 });
  try {
    let page: Page | undefined;
    const play = (name: string, step: () => Promise<string>): Promise<void> =>
      steps.play(name, () => page, step);
    const on = (window: OamWindow): OamWindow => {
      page = window.page;
      return window;
    };
    const late: { ana?: OamWindow; lena?: OamWindow; terminal?: Terminal } = {};
    const there = <K extends keyof typeof late>(key: K): NonNullable<(typeof late)[K]> => {
      const value = late[key];
      if (value === undefined) throw new Error(`There is no ${key} yet.`);
      return value;
    };

    await play('open', async () => {
      const { url } = await windows.open('ana');
      const ana = on(await OamWindow.open(browser, url));
      late.ana = ana;
      await ana.workbench.trustFolder();
      await ana.showSideBar();
      await ana.workbench.widenSideBar(440);
      await ana.access.getByRole('button', { name: 'Sign In' }).waitFor();
      return 'The sample project is open with its notebook, and the side bar welcomes with a button to sign in.';
    });

    await play('sign-in', async () => {
      const ana = there('ana');
      await ana.signIn(PEOPLE.ana, async (login) => {
        await login.screenshot({ path: join(pictures, 'sign-in-page.png') });
      });
      await ana.line('ml-prod');
      return `${PEOPLE.ana.userName} signed in at ${stage.identityProvider.issuer} by the code that VS Code showed.`;
    });

    await play('use-in-folder', async () => {
      await there('ana').useInFolder('ml-prod');
      return 'Asked once, the folder works with ml-prod.';
    });

    await play('entitlements', async () => {
      const ana = there('ana');
      await ana.line('ml-prod', 'Roles you can ask for', QUERY_ROLE);
      const endpoint = await ana.line(
        'ml-prod',
        'What you can see now',
        'Serving endpoints',
        'recsys-ranker-prod',
      );
      const rights = await ana.line(
        'ml-prod',
        'What you can see now',
        'Serving endpoints',
        /recsys-ranker-prod.*CAN_VIEW/,
      );
      await rights.waitFor();
      return `The tree shows roles to ask for and, read as Ana: ${await ana.spoken(endpoint)}.`;
    });

    await play('refused-before', async () => {
      const ana = there('ana');
      const terminal = await ana.workbench.openTerminal();
      late.terminal = terminal;
      await terminal.run('python score.py');
      const text = await terminal.waitForText(DENIED);
      if (!text.includes(`I am ${PEOPLE.ana.userName}`)) throw new Error(`Not as Ana: ${text}`);
      return lineOf(text, DENIED);
    });

    await play('granted-by-policy', async () => {
      const ana = there('ana');
      await ana.request(QUERY_ROLE, 'Compare the ranker with the new training run', WINDOW_MINUTES);
      const grant = await ana.line(
        'ml-prod',
        'Granted for a time',
        new RegExp(`${QUERY_ROLE}.*(left|until)`),
      );
      const members = stage.databricks.members('9101');
      if (members.length !== 1) throw new Error(`The group has ${String(members.length)} members.`);
      return `${await ana.spoken(grant)}; Databricks lists one member of the role's group.`;
    });

    await play('terminal', async () => {
      const terminal = there('terminal');
      await terminal.runAlone('python score.py; env | grep -ci "^databricks_token"');
      const text = await terminal.waitForText(/The ranker answers.*\n0$/m);
      return `${lineOf(text, /The ranker answers.*/)}; no token in the environment.`;
    });

    await play('notebook', async () => {
      const { workbench } = there('ana');
      await workbench.command('View: Hide Panel');
      await workbench.runAllCells();
      const text = await workbench.waitForNotebookOutput(/The ranker answers.*/);
      await workbench.scrollNotebookToEnd();
      if (!text.includes('A token in the environment? False'))
        throw new Error(`The kernel holds a token: ${text}`);
      return lineOf(text, /The ranker answers.*/);
    });

    await play('needs-approval', async () => {
      const ana = there('ana');
      const terminal = there('terminal');
      await ana.workbench.command('Terminal: Focus Terminal');
      await terminal.runAlone('python promote.py');
      const denied = lineOf(await terminal.waitForText(DENIED), DENIED);
      await ana.request(PROMOTE_ROLE, 'Ship the ranker that won the A/B test', WINDOW_MINUTES);
      const request = await ana.line('ml-prod', 'Waiting for approval', PROMOTE_ROLE);
      return `${denied} ${await ana.spoken(request)}.`;
    });

    await play('lead-approves', async () => {
      const { url } = await windows.open('lena');
      const lena = on(await OamWindow.open(browser, url));
      late.lena = lena;
      await lena.showSideBar();
      await lena.signIn(PEOPLE.lena);
      await lena.approve(new RegExp(`Ana Silva.*${PROMOTE_ROLE}`), async () => {
        await lena.page.screenshot({ path: join(pictures, 'approval-dialog.png') });
      });
      await lena.workbench.notification(/Approved: Ana Silva gets/).waitFor();
      return 'Lena Fischer read purpose and window in a second window and approved.';
    });

    await play('approved', async () => {
      const ana = on(there('ana'));
      const grant = await ana.line(
        'ml-prod',
        'Granted for a time',
        new RegExp(`${PROMOTE_ROLE}.*(left|until)`),
      );
      const terminal = there('terminal');
      await terminal.runAlone('python promote.py');
      const promoted = /The champion of .*\d+\./;
      return `${await ana.spoken(grant)}; ${lineOf(await terminal.waitForText(promoted), promoted)}`;
    });

    await play('window-ends', async () => {
      const ana = there('ana');
      await ana.workbench
        .row(ana.access, new RegExp(`${QUERY_ROLE}.*(left|until|removed)`))
        .waitFor({ state: 'detached', timeout: GONE_WITHIN_MS });
      const members = stage.databricks.members('9101');
      if (members.length !== 0) throw new Error(`The group still has ${String(members.length)} members.`);
      return "The line is gone, and so is the member of the role's group in Databricks.";
    });

    await play('refused-in-terminal', async () => {
      const terminal = there('terminal');
      await there('ana').workbench.clearNotifications();
      await terminal.runAlone('python score.py');
      const text = await terminal.waitForText(DENIED);
      return lineOf(text, DENIED);
    });

    await play('refused-in-notebook', async () => {
      const { workbench } = there('ana');
      await workbench.command('View: Hide Panel');
      await workbench.runAllCells();
      const denied = /PermissionDenied: .*?\.(?= [A-Z]|$)/m;
      const text = await workbench.waitForNotebookOutput(denied);
      await workbench.scrollNotebookToEnd();
      return lineOf(text, denied);
    });
    return true;
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    return false;
  }
}

function lineOf(text: string, pattern: RegExp): string {
  return pattern.exec(text)?.[0].trim() ?? text;
}
