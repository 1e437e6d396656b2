import { setTimeout as delay } from 'node:timers/promises';

import type { Frame, Locator, Page } from 'playwright-core';

/** How long anything in the editor may take to show up. Generous: machines that test are busy. */
export const SHOWN_WITHIN_MS = 45_000;

/** No terminal of ours has fewer columns: a shorter row was not broken. */
const NARROWEST_COLUMNS = 100;

/** A VS Code window in a browser, by what a person sees in it. */
export class Workbench {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(SHOWN_WITHIN_MS);
  }

  /** Opens the address and waits until the window stands. */
  async open(url: string): Promise<void> {
    await this.page.goto(url);
    await this.page.locator('.monaco-workbench .statusbar').waitFor();
  }

  /** Trusts the folder by the buttons that VS Code offers: its dialog, or its banner and the page behind it. */
  async trustFolder(): Promise<void> {
    const dialog = this.dialog('Do you trust the authors');
    const banner = this.page.locator('.banner').getByText('Manage', { exact: true });
    await dialog.or(banner).first().waitFor();
    if (await dialog.isVisible()) {
      await dialog.getByRole('button', { name: /Yes, I trust/ }).click();
    } else {
      await banner.click();
      await this.page
        .locator('.workspace-trust-editor')
        .getByRole('button', { name: 'Trust', exact: true })
        .click();
      await this.page.locator('.banner').waitFor({ state: 'hidden' });
      // The page behind the banner lies over the others, and VS Code may close it itself.
      const page = this.page.locator('.monaco-modal-editor-block');
      if (await page.isVisible()) await this.command('View: Close Editor');
      await page.waitFor({ state: 'hidden' });
    }
    await this.page.locator('.statusbar').getByText('Restricted Mode').waitFor({ state: 'hidden' });
  }

  /** Runs a command by its name in the command palette. */
  async command(name: string): Promise<void> {
    const deadline = performance.now() + SHOWN_WITHIN_MS;
    for (;;) {
      const palette = await this.#openPalette();
      try {
        await palette.input.fill(`>${name}`, { timeout: 5_000 });
        await palette.row(name).first().click({ timeout: 15_000 });
        return;
      } catch (error) {
        // A page that arrives just now takes the keys, and the palette closes.
        if (performance.now() > deadline || (await palette.root.isVisible())) throw error;
      }
    }
  }

  /** The frame with a page of an extension's, by something that it shows. */
  async frameWith(selector: string): Promise<Frame> {
    const deadline = performance.now() + SHOWN_WITHIN_MS;
    while (performance.now() < deadline) {
      for (const frame of this.page.frames()) {
        if (
          (await frame
            .locator(selector)
            .count()
            .catch(() => 0)) > 0
        )
          return frame;
      }
      await delay(200);
    }
    throw new Error(`No page shows ${selector}.`);
  }

  /** Presses the key until the palette is there: a part that is just being drawn or reloaded takes no keys. */
  async #openPalette(): Promise<ReturnType<Workbench['quickInput']>> {
    const palette = this.quickInput();
    const deadline = performance.now() + SHOWN_WITHIN_MS;
    for (;;) {
      await this.page.keyboard.press('F1');
      try {
        await palette.root.waitFor({ timeout: 3_000 });
        return palette;
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
    }
  }

  /** Shows a view container by its icon in the activity bar. */
  async activity(name: string): Promise<void> {
    const icon = this.page.locator('.activitybar').getByRole('tab', { name });
    await icon.waitFor();
    if ((await icon.getAttribute('aria-selected')) !== 'true') await icon.click();
  }

  /** Draws the side bar's edge, as people do whose lines are cut off. */
  async widenSideBar(toPixels: number): Promise<void> {
    const side = await this.page.locator('.part.sidebar').boundingBox();
    if (side === null) throw new Error('There is no side bar.');
    const y = side.y + side.height / 2;
    await this.page.mouse.move(side.x + side.width, y);
    await this.page.mouse.down();
    await this.page.mouse.move(side.x + toPixels, y, { steps: 5 });
    await this.page.mouse.up();
  }

  /** Changes the colours of the window, by the name of a theme, and waits for its kind: `vs`, `vs-dark`, `hc-black`. */
  async theme(name: string, kind: string): Promise<void> {
    const { root, input, row } = this.quickInput();
    const list = root
      .filter({ hasText: 'Select Color Theme' })
      .or(root.filter({ has: this.page.getByPlaceholder(/Color Theme/) }));
    const deadline = performance.now() + SHOWN_WITHIN_MS;
    for (;;) {
      await this.command('Preferences: Color Theme');
      try {
        await list.waitFor({ timeout: 10_000 });
        await input.fill(name, { timeout: 5_000 });
        await row(name).first().click({ timeout: 10_000 });
        break;
      } catch (error) {
        // VS Code closes the list where something else takes the focus in that moment.
        if (performance.now() > deadline) throw error;
      }
    }
    await root.waitFor({ state: 'hidden' });
    await this.page.locator(`.monaco-workbench.${kind}`).waitFor();
  }

  /** A view in the side bar, by its title. */
  view(title: string): Locator {
    return this.page.locator('.pane').filter({
      has: this.page.locator('.pane-header', { hasText: title }),
    });
  }

  /** Opens or closes a view of the side bar by its header. */
  async openView(title: string, isOpen: boolean): Promise<void> {
    const header = this.view(title).locator('.pane-header');
    await header.waitFor();
    if ((await header.getAttribute('aria-expanded')) !== String(isOpen)) await header.click();
    await this.view(title)
      .locator(`.pane-header[aria-expanded=${String(isOpen)}]`)
      .waitFor();
  }

  /** Rows of a tree whose label or description holds the text. */
  row(view: Locator, text: string | RegExp): Locator {
    return view.locator('.monaco-list-row').filter({ hasText: text });
  }

  /**
   * Presses a button of a row, which stands there only while the mouse is over the row: where rows come or go above it
   * meanwhile, the row moves away from the mouse, and is hovered again.
   */
  async press(row: Locator, button: string, o: { readonly clickCount?: number } = {}): Promise<void> {
    const deadline = performance.now() + SHOWN_WITHIN_MS;
    for (;;) {
      // What is told of the row that the mouse was over before may lie over this one.
      await this.page.mouse.move(1, 1);
      try {
        await row.hover({ timeout: 5_000 });
        await row.getByRole('button', { name: button }).click({ ...o, timeout: 3_000 });
        return;
      } catch (error) {
        // Once it clicks, what fails is no matter of where the mouse is, and a second click might do a thing twice.
        if (performance.now() > deadline || String(error).includes('performing click action')) throw error;
      }
    }
  }

  /** Opens a row that is closed, as often as a row that comes above it takes the click. */
  async expand(row: Locator): Promise<void> {
    const deadline = performance.now() + SHOWN_WITHIN_MS;
    while ((await row.getAttribute('aria-expanded')) === 'false') {
      if (performance.now() > deadline) throw new Error(`The row ${await row.innerText()} does not open.`);
      await row.locator('.monaco-tl-twistie').click();
      // It opens at once, or the click went elsewhere.
      await row
        .and(this.page.locator('[aria-expanded=true]'))
        .waitFor({ timeout: 5_000 })
        .catch(() => undefined);
    }
  }

  quickInput(): { root: Locator; input: Locator; row: (text: string | RegExp) => Locator } {
    const root = this.page.locator('.quick-input-widget:visible');
    return {
      root,
      input: root.locator('input[type=text], input[type=password]').first(),
      row: (text) => root.locator('.monaco-list-row').filter({ hasText: text }),
    };
  }

  /** Waits for a question in the quick input that says the text, and answers it by typing. */
  async answer(question: string | RegExp, text: string): Promise<void> {
    const { root, input } = this.quickInput();
    await root
      .filter({ hasText: question })
      .or(root.filter({ has: this.page.getByPlaceholder(question) }))
      .waitFor();
    await input.fill(text);
    await input.press('Enter');
  }

  /** Waits for a choice in the quick input that says the text, and picks the row that does. */
  async pick(question: string | RegExp, choice: string | RegExp): Promise<void> {
    const { root, row } = this.quickInput();
    await root
      .filter({ hasText: question })
      .or(root.filter({ has: this.page.getByPlaceholder(question) }))
      .waitFor();
    await row(choice).first().click();
  }

  /** A modal dialog that says the text. */
  dialog(text: string | RegExp): Locator {
    return this.page.locator('.monaco-dialog-box').filter({ hasText: text });
  }

  /** A notification that says the text. */
  notification(text: string | RegExp): Locator {
    return this.page.locator('.notification-toast').filter({ hasText: text });
  }

  /**
   * A notification that says the text, wherever it is by now: what nobody looks at for a quarter of a minute hides
   * itself, and waits behind the bell.
   */
  async noticed(text: string | RegExp): Promise<Locator> {
    const kept = this.page.locator('.notifications-center .monaco-list-row').filter({ hasText: text });
    const either = this.notification(text).or(kept).first();
    const deadline = performance.now() + SHOWN_WITHIN_MS;
    for (;;) {
      try {
        await either.waitFor({ timeout: 5_000 });
        return either;
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
      await this.command('Notifications: Show Notifications');
    }
  }

  /** Notifications of errors. */
  errors(): Locator {
    return this.page.locator('.notification-toast').filter({ has: this.page.locator('.codicon-error') });
  }

  /** Closes what notifications are shown, as people do to see what is behind them. */
  async clearNotifications(): Promise<void> {
    await this.command('Notifications: Clear All Notifications');
  }

  /** The text of the status bar's item that says the text. */
  status(text: string | RegExp): Locator {
    return this.page.locator('.statusbar-item').filter({ hasText: text });
  }

  /** Opens a terminal and waits for its prompt. */
  async openTerminal(): Promise<Terminal> {
    const before = await this.page.locator('.terminal-wrapper').count();
    await this.command('Terminal: Create New Terminal');
    await this.page.locator('.terminal-wrapper').nth(before).waitFor({ state: 'attached' });
    const terminal = this.terminal();
    await terminal.waitForText(/[$#] ?$/m);
    return terminal;
  }

  /** The terminal that is shown. */
  terminal(): Terminal {
    return new Terminal(this.page);
  }

  /** The notebook that is shown, where its code holds the text. */
  notebook(text: string): Locator {
    return this.page
      .locator('.notebook-editor')
      .filter({ has: this.page.locator('.view-line', { hasText: text }) });
  }

  /** Runs every cell of the notebook that is shown: a toolbar that is laid out anew under the mouse loses the click. */
  async runAllCells(): Promise<void> {
    const editor = this.page.locator('.notebook-editor');
    const waits = editor.locator('.codicon-notebook-state-pending, .codicon-notebook-state-executing');
    const lastRun = async (): Promise<number> => {
      const labels = await editor.locator('.execution-count-label').allInnerTexts();
      return Math.max(0, ...labels.map((label) => Number(/\d+/.exec(label)?.[0] ?? 0)));
    };
    const before = await lastRun();
    const deadline = performance.now() + SHOWN_WITHIN_MS;
    while (performance.now() < deadline) {
      await this.page.locator('.notebook-toolbar-container').getByRole('button', { name: 'Run All' }).click();
      const clicked = performance.now();
      while (performance.now() < clicked + 10_000) {
        if ((await waits.count()) > 0 || (await lastRun()) > before) return;
        await delay(100);
      }
    }
    throw new Error('The notebook does not run its cells.');
  }

  /** Scrolls the notebook to its end. */
  async scrollNotebookToEnd(): Promise<void> {
    await this.page.locator('.notebook-editor .monaco-list').first().hover();
    // An output gets its height only after it is drawn, so the end moves away a few times.
    for (let turn = 0; turn < 4; turn += 1) {
      await this.page.mouse.wheel(0, 20_000);
      await delay(300);
    }
  }

  /** What the notebook's cells print, as shown; it lives in frames of its own. */
  async notebookOutput(): Promise<string> {
    const texts: string[] = [];
    for (const frame of this.page.frames()) {
      texts.push(...(await outputTexts(frame)));
    }
    return texts.join('\n');
  }

  /** Waits until the notebook's cells print something that matches. */
  async waitForNotebookOutput(pattern: RegExp, timeoutMs = SHOWN_WITHIN_MS): Promise<string> {
    return waitForText(() => this.notebookOutput(), pattern, timeoutMs, 'The notebook');
  }
}

/** The terminal that is shown, typed into by the keyboard and read from the screen. */
export class Terminal {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  /** Runs a line on a cleared screen: what stands there afterwards came of it. */
  async runAlone(line: string): Promise<void> {
    await this.run('clear');
    await this.waitForText(/^\S+ [$#] ?$/);
    await this.run(line);
  }

  async run(line: string): Promise<void> {
    // As a person does: the click waits until the terminal takes it, where focus alone can be taken away again.
    await this.#page.locator('.terminal-wrapper.active .xterm-screen').click();
    await this.#page.keyboard.type(line);
    await this.#page.keyboard.press('Enter');
  }

  /** What stands on its screen, line by line, without the breaks that only the width of the screen makes. */
  async text(): Promise<string> {
    const shown = await this.#page.locator('.terminal-wrapper.active .xterm-rows > div').allInnerTexts();
    const rows = shown.map((row) => row.replaceAll('\u00a0', ' '));
    const columns = Math.max(NARROWEST_COLUMNS, ...rows.map((row) => row.length));
    return rows
      .map((row) => (row.length < columns ? `${row.trimEnd()}\n` : row))
      .join('')
      .trimEnd();
  }

  async waitForText(pattern: RegExp, timeoutMs = SHOWN_WITHIN_MS): Promise<string> {
    return waitForText(() => this.text(), pattern, timeoutMs, 'The terminal');
  }
}

async function outputTexts(frame: Frame): Promise<string[]> {
  try {
    return await frame.locator('.output_container').allInnerTexts();
  } catch {
    // Frames come and go while a notebook is drawn.
    return [];
  }
}

async function waitForText(
  read: () => Promise<string>,
  pattern: RegExp,
  timeoutMs: number,
  what: string,
): Promise<string> {
  const deadline = performance.now() + timeoutMs;
  let text = '';
  do {
    text = await read();
    if (pattern.test(text)) return text;
    await delay(200);
  } while (performance.now() < deadline);
  throw new Error(`${what} did not show ${String(pattern)}. It shows:\n${text}`);
}
