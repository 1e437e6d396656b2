import type { OamWindow } from '../../demo/tour/oamWindow.ts';
import { until } from '../host/until.ts';

/** Takes the file that VS Code's own dialog offers. @returns where it is. */
export async function saveAsOffered(window: OamWindow, ending: string): Promise<string> {
  const { root, input, row } = window.workbench.quickInput();
  // The dialog writes its own offer over what is typed before it has listed the folder of it.
  await row('..').first().waitFor();
  const file = await until('a file is offered', async () => {
    const offered = await input.inputValue();
    return offered.endsWith(ending) && offered;
  });
  await root.getByRole('button', { name: 'OK' }).click();
  return file;
}
