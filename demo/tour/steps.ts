import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Page } from 'playwright-core';

/** What one step of the tour came to; one JSON line on standard output. */
export interface StepLine {
  readonly step: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly detail: string;
}

/** Plays steps one after the other, with a screenshot of each. The first that fails ends the tour. */
export class Steps {
  readonly #folder: string;
  readonly #say: (line: StepLine) => void;
  #number = 0;

  constructor(folder: string, say: (line: StepLine) => void) {
    this.#folder = folder;
    this.#say = say;
  }

  async start(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
  }

  /** @param play Does the step, sees for itself that it is true, and returns what it saw in a sentence. */
  async play(step: string, page: () => Page | undefined, play: () => Promise<string>): Promise<void> {
    const started = performance.now();
    this.#number += 1;
    const line = (ok: boolean, detail: string): void => {
      this.#say({ step, ok, ms: Math.round(performance.now() - started), detail });
    };
    try {
      const detail = await play();
      await this.#screenshot(step, page());
      line(true, detail);
    } catch (error) {
      await this.#screenshot(`${step}-failed`, page()).catch(() => undefined);
      line(false, plain(error instanceof Error ? error.message : String(error)));
      throw new StepFailed(step);
    }
  }

  async #screenshot(name: string, page: Page | undefined): Promise<void> {
    const number = String(this.#number).padStart(2, '0');
    // What lies under the pointer would show that it does.
    await page?.mouse.move(1, 1);
    await page?.screenshot({ path: join(this.#folder, `${number}-${name}.png`) });
  }
}

/** Without the colours that the browser's driver puts into its messages. */
function plain(text: string): string {
  return text.replace(/\u001b\[\d+m/g, '').trim();
}

/** Said already, by the step's own line. */
export class StepFailed extends Error {
  constructor(step: string) {
    super(`The step ${step} failed.`);
    this.name = 'StepFailed';
  }
}
