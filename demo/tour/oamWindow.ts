import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';

import { SHOWN_WITHIN_MS, Workbench } from './workbench.ts';

/** Who signs in. */
export interface Credentials {
  readonly userName: string;
  readonly password: string;
}

const ACTIVITY = 'Databricks ML OAM';

const VIEWPORT = { width: 1440, height: 900 };

/** A person's VS Code window with OAM in it, by what they see and click. */
export class OamWindow {
  readonly context: BrowserContext;
  readonly workbench: Workbench;

  /** Our own words in the window's language. */
  readonly #say: (english: string) => string;

  private constructor(context: BrowserContext, page: Page, say: (english: string) => string) {
    this.context = context;
    this.workbench = new Workbench(page);
    this.#say = say;
  }

  /**
   * Opens a window on the sample project in a browser profile of its own: nobody is signed in there.
   *
   * @param language In which extensions are to speak; VS Code itself would need a language pack.
   */
  static async open(
    browser: Browser,
    url: string,
    language?: { readonly id: string; readonly say: (english: string) => string },
  ): Promise<OamWindow> {
    const context = await browser.newContext({
      viewport: VIEWPORT,
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    if (language !== undefined) {
      await context.addInitScript(`globalThis._VSCODE_NLS_LANGUAGE = ${JSON.stringify(language.id)};`);
    }
    const window = new OamWindow(context, await context.newPage(), language?.say ?? ((english) => english));
    await window.workbench.open(url);
    // Until it shows its notebook, a window still takes the focus from who begins to work in it.
    await window.workbench.notebook('WorkspaceClient()').waitFor();
    return window;
  }

  get page(): Page {
    return this.workbench.page;
  }

  get access(): Locator {
    return this.workbench.view(this.#say('My Access'));
  }

  get approvals(): Locator {
    return this.workbench.view('Approvals');
  }

  get team(): Locator {
    return this.workbench.view('Team');
  }

  get audit(): Locator {
    return this.workbench.view('Audit');
  }

  /** A line of somebody's in the view "Team", whose person is opened on the way. */
  async teamLine(person: string, text: string | RegExp): Promise<Locator> {
    const who = this.workbench.row(this.team, person).first();
    await who.waitFor();
    await this.workbench.expand(who);
    const line = this.workbench.row(this.team, text).last();
    await line.waitFor();
    return line;
  }

  /** Shows the side bar with the welcome view. */
  async showSideBar(): Promise<void> {
    const deadline = performance.now() + SHOWN_WITHIN_MS;
    for (;;) {
      await this.workbench.activity(ACTIVITY);
      try {
        await this.access.waitFor({ timeout: 10_000 });
        return;
      } catch (error) {
        // A window that is opened anew shows the side bar by itself, and a click in that moment hides it again.
        if (performance.now() > deadline) throw error;
      }
    }
  }

  /**
   * Signs in by the welcome view's button: VS Code shows a code, and the provider's page, which opens in a page of its
   * own, asks for it, for the user name and for the password.
   *
   * @param onPage Called with the provider's page when its form is filled in, before it is sent.
   */
  async signIn(
    who: Credentials,
    onPage: (page: Page) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    await this.access.getByRole('button', { name: this.#say('Sign In') }).click();
    const dialog = this.workbench.dialog(/[A-Z]{4}-[A-Z]{4}/);
    const code = /([A-Z]{4}-[A-Z]{4})/.exec(await dialog.innerText())?.[1];
    const opened = this.context.waitForEvent('page');
    await dialog.getByRole('button', { name: this.#say('Copy Code and Open Page') }).click();
    const page = await this.#openedPage(opened);

    const shown = page.locator('.code-shown');
    await shown.waitFor();
    const there = (await shown.innerText()).trim();
    if (there !== code) throw new Error(`VS Code shows the code ${String(code)}, the provider ${there}.`);
    await page.getByRole('button', { name: 'Yes, continue' }).click();
    await page.getByLabel('User name').fill(who.userName);
    await page.getByLabel('Password').fill(who.password);
    await onPage(page);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('You are signed in').waitFor();
    await page.close();
  }

  async #openedPage(opened: Promise<Page>): Promise<Page> {
    // VS Code asks before it opens an address that it does not know.
    const ask = this.workbench.dialog('Do you want code-server to open the external website?');
    const first = await Promise.race([
      opened,
      ask.waitFor().then(
        () => undefined,
        () => undefined,
      ),
    ]);
    if (first !== undefined) return first;
    await ask.getByRole('button', { name: 'Open', exact: true }).click();
    return opened;
  }

  /** Opens what is closed on the way to a line of the tree, and returns that line. */
  async line(...path: readonly (string | RegExp)[]): Promise<Locator> {
    let line = this.access;
    for (const [index, text] of path.entries()) {
      line = this.workbench.row(this.access, text).first();
      await line.waitFor();
      if (index < path.length - 1) await this.workbench.expand(line);
    }
    return line;
  }

  /** Waits until access is over and seen to be: before that its line says that it is being removed. */
  async gone(role: string, view = this.access): Promise<void> {
    const line = this.workbench.row(view, new RegExp(`${role}.*(left|until|removed)`));
    await line.first().waitFor({ state: 'detached' });
  }

  /** Opens the page that leads a new user through the first steps. */
  async openWalkthrough(): Promise<void> {
    await this.workbench.command('Welcome: Open Walkthrough');
    await this.workbench.quickInput().row(this.#say('Get Started with Databricks ML OAM')).click();
    await this.page.locator('.getting-started-step').first().waitFor();
  }

  /** Narrows the view to what matches; a line far down a long list is drawn only where somebody scrolls to it. */
  async search(text: string): Promise<void> {
    // The only view of a side bar shares its title.
    await this.page.locator('.part.sidebar').getByRole('button', { name: 'Search My Access' }).click();
    await this.workbench.answer('Search My Access', text);
    await this.access.getByText(`Shown is only what matches “${text}”.`).waitFor();
  }

  /** What a screen reader says of a line of the tree. */
  async spoken(line: Locator): Promise<string> {
    return ((await line.getAttribute('aria-label')) ?? '').split(', ').slice(0, 3).join(', ');
  }

  /** Answers the folder's one question. */
  async useInFolder(workspace: string): Promise<void> {
    const question = await this.workbench.noticed('Use OAM for Databricks in this folder?');
    await question.getByRole('button', { name: `Use ${workspace}` }).click();
    await question.waitFor({ state: 'hidden' });
    await this.workbench.status(workspace).waitFor();
  }

  /** Asks for a role by the dialogs: the role's own button in the tree, then purpose, time and the last look. */
  async request(
    role: string,
    purpose: string,
    minutes: number,
    o: { onLastLook?: () => Promise<void>; doubleClicks?: boolean } = {},
  ): Promise<void> {
    const clicks = { clickCount: o.doubleClicks === true ? 2 : 1 };
    const line = await this.line('ml-prod', 'Roles you can ask for', role);
    await this.workbench.press(line, 'Request Access', clicks);
    await this.workbench.answer('What do you need it for?', purpose);
    await this.workbench.pick('It ends by itself', 'Another time');
    await this.workbench.answer('For how long? At most', `${String(minutes)}m`);
    await this.workbench.quickInput().row('Send Request').waitFor();
    await o.onLastLook?.();
    await this.workbench.quickInput().row('Send Request').click(clicks);
  }

  /** Approves by the button at the request and the dialog that tells what is asked. */
  async approve(
    request: string | RegExp,
    onDialog: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const line = this.workbench.row(this.approvals, request).first();
    await this.workbench.press(line, 'Approve');
    const dialog = this.workbench.dialog(/Approve .* for .*\?/);
    await dialog.waitFor();
    await onDialog();
    await dialog.getByRole('button', { name: 'Approve', exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });
  }
}
