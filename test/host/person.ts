import * as vscode from 'vscode';

import {
  createHeadlessBrowser,
  type HeadlessBrowser,
} from '../../src/sandbox/identity-provider/headless-browser.ts';
import { logIn } from '../../src/sandbox/identity-provider/headless-sign-in.ts';
import type { Person } from '../../src/sandbox/identity-provider/index.ts';
import { stub } from './stub.ts';

type Credentials = Pick<Person, 'userName' | 'password'>;

/** A line of a list. */
export interface OfferedLine {
  readonly label: string;
  readonly description?: string;
  readonly detail?: string;
}

/**
 * Somebody at the window: reads what it says, presses buttons and signs in with a browser. VS Code's test driver
 * refuses dialogs and cannot see another program, so they take the place of `showInformationMessage` and its like.
 */
export class PersonAtWindow implements Disposable {
  /** Everything that the window said, in its order. */
  readonly told: string[] = [];
  readonly #offered: (readonly string[])[] = [];
  readonly #stubs: Disposable[];
  readonly #presses: { readonly text: RegExp; readonly button: string | RegExp }[] = [];
  readonly #picks: string[] = [];
  #look: (items: readonly OfferedLine[]) => void = () => undefined;
  #browse: (url: string) => Promise<void> = (url) =>
    Promise.reject(new Error(`Nobody expected a page: ${url}`));
  #browsing: Promise<void> = Promise.resolve();

  constructor() {
    const answer = (text: string, ...rest: unknown[]): Promise<unknown> =>
      Promise.resolve(this.#read(text, rest));
    this.#stubs = [
      stub(vscode.window, 'showInformationMessage', answer),
      stub(vscode.window, 'showWarningMessage', answer),
      stub(vscode.window, 'showErrorMessage', answer),
      stub(vscode.window, 'showQuickPick', (items: readonly OfferedLine[]) => {
        this.#look(items);
        return Promise.resolve(items.find(({ label }) => this.#picks.includes(label)));
      }),
      stub(vscode.env, 'openExternal', (uri: vscode.Uri) => {
        this.#browsing = this.#browse(uri.toString(true));
        this.#browsing.catch(() => undefined);
        return Promise.resolve(true);
      }),
    ];
  }

  /** Presses a button whenever the window says something like `text`. */
  press(text: RegExp, button: string | RegExp): this {
    this.#presses.push({ text, button });
    return this;
  }

  /** Picks these lines wherever they are offered. */
  pick(...labels: string[]): this {
    this.#picks.push(...labels);
    return this;
  }

  /** Reads the lines of every list. */
  sees(look: (items: readonly OfferedLine[]) => void): this {
    this.#look = look;
    return this;
  }

  /** Signs in on the page that the window opens next, and on every later one. */
  signsInAs(person: Credentials, drive: SignInPage = atLogin): this {
    this.#browse = async (url) => {
      const browser = createHeadlessBrowser();
      await drive(browser, url, person);
    };
    return this;
  }

  /** The buttons of the first message like `text`. */
  offered(text: RegExp): readonly string[] | undefined {
    return this.#offered[this.told.findIndex((told) => text.test(told))];
  }

  /** Waits for what is done in the browser; throws what went wrong there. */
  async browsed(): Promise<void> {
    await this.#browsing;
  }

  [Symbol.dispose](): void {
    for (const replaced of this.#stubs) replaced[Symbol.dispose]();
  }

  #read(text: string, rest: readonly unknown[]): unknown {
    const buttons = rest.filter((item) => typeof item === 'string' || titleOf(item) !== undefined);
    this.told.push(text);
    this.#offered.push(buttons.map((item) => titleOf(item) ?? String(item)));
    for (const press of this.#presses) {
      if (!press.text.test(text)) continue;
      const found = buttons.find((item) => {
        const label = titleOf(item) ?? String(item);
        return typeof press.button === 'string' ? label === press.button : press.button.test(label);
      });
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** What somebody does on the provider's pages. */
export type SignInPage = (browser: HeadlessBrowser, url: string, person: Credentials) => Promise<void>;

/** The login page of the authorization code flow. */
export const atLogin: SignInPage = async (browser, url, person) => {
  await logIn(browser, await browser.open(url), person);
};

/** The pages of the device flow, with the code filled in. */
export const atDevicePage: SignInPage = async (browser, url, person) => {
  const confirmation = await browser.open(url);
  await logIn(browser, await browser.submit(confirmation, {}, 'confirm=yes'), person);
};

function titleOf(item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null || !('title' in item)) return undefined;
  return typeof item.title === 'string' ? item.title : undefined;
}
