import * as vscode from 'vscode';

import { CancelledError } from '../../domain/errors.ts';

/** The person went back a step. */
export const BACK = Symbol('back');

interface Step {
  readonly title: string;
  /** From 1; absent where there is one step only. */
  readonly step?: number;
  readonly steps?: number;
  readonly hasBack?: boolean;
}

interface Pick<Item extends vscode.QuickPickItem> extends Step {
  readonly placeholder: string;
  readonly items: readonly Item[];
  /** Which line is highlighted at first. */
  readonly active: ((item: Item) => boolean) | undefined;
}

/** Lets a person pick one line. */
export function pick<Item extends vscode.QuickPickItem>(options: Pick<Item>): Promise<Item | typeof BACK> {
  const input = vscode.window.createQuickPick<Item>();
  input.placeholder = options.placeholder;
  input.matchOnDescription = true;
  input.matchOnDetail = true;
  input.items = options.items;
  const { active } = options;
  if (active !== undefined) input.activeItems = options.items.filter((item) => active(item)).slice(0, 1);
  return run(input, options, (settle) => input.onDidAccept(() => settle(input.selectedItems[0])));
}

interface Ask extends Step {
  readonly prompt: string;
  readonly placeholder: string;
  readonly value: string;
  /** What is wrong with a text, in words, or undefined. */
  readonly fault: (text: string) => string | undefined;
  /** A button besides, which lets the person take a text from elsewhere; undefined where they took none. */
  readonly more?: { readonly icon: string; readonly tooltip: string; take(): Promise<string | undefined> };
}

/** The person wants to choose from texts that are there. */
export const CHOOSE = Symbol('choose');

/** {@link ask}, with a button that says {@link CHOOSE}. */
export function askOrChoose(
  options: Ask & { readonly choose: { readonly icon: string; readonly tooltip: string } },
): Promise<string | typeof BACK | typeof CHOOSE> {
  const { icon, tooltip } = options.choose;
  return askWith(options, { iconPath: new vscode.ThemeIcon(icon), tooltip });
}

/** Lets a person write a line. */
export async function ask(options: Ask): Promise<string | typeof BACK> {
  const answer = await askWith(options);
  // Without a button there is nothing else to say.
  return answer === CHOOSE ? BACK : answer;
}

function askWith(
  options: Ask,
  button?: vscode.QuickInputButton,
): Promise<string | typeof BACK | typeof CHOOSE> {
  const input = vscode.window.createInputBox();
  input.prompt = options.prompt;
  input.placeholder = options.placeholder;
  input.value = options.value;
  // What is wrong is said once something was written: an empty box is no mistake yet.
  input.onDidChangeValue((text) => {
    input.validationMessage = options.fault(text) ?? '';
  });
  const shown = run<string | typeof CHOOSE>(input, options, (settle) =>
    vscode.Disposable.from(
      input.onDidAccept(() => {
        const fault = options.fault(input.value);
        if (fault === undefined) settle(input.value);
        else input.validationMessage = fault;
      }),
      input.onDidTriggerButton((pressed) => {
        if (pressed === button) settle(CHOOSE);
      }),
    ),
  );
  if (button !== undefined) input.buttons = [...input.buttons, button];
  return shown;
}

function run<Answer>(
  input: vscode.QuickInput & { buttons: readonly vscode.QuickInputButton[] } & {
    readonly onDidTriggerButton: vscode.Event<vscode.QuickInputButton>;
  },
  { title, step, steps, hasBack = false }: Step,
  listen: (settle: (answer: Answer | undefined) => void) => vscode.Disposable,
): Promise<Answer | typeof BACK> {
  input.title = title;
  if (step !== undefined) input.step = step;
  if (steps !== undefined) input.totalSteps = steps;
  // A glance at another window for the ticket's number must not lose what was written.
  input.ignoreFocusOut = true;
  input.buttons = hasBack ? [vscode.QuickInputButtons.Back] : [];
  return new Promise<Answer | typeof BACK>((resolve, reject) => {
    listen((answer) => {
      if (answer === undefined) return;
      resolve(answer);
      input.hide();
    });
    input.onDidTriggerButton((button) => {
      if (button !== vscode.QuickInputButtons.Back) return;
      resolve(BACK);
      input.hide();
    });
    input.onDidHide(() => {
      reject(new CancelledError());
      input.dispose();
    });
    input.show();
  });
}
