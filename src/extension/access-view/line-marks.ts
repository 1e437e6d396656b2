import * as vscode from 'vscode';

import { Changes } from '../changes.ts';
import { isTone, type Tone, TONE_MARKS } from './tones.ts';

/** Lines of trees have addresses of a scheme of their own: VS Code asks for the mark of what has one. */
const SCHEME = 'databricks-ml-oam';

/** The address of a line: its mark is in it, so that another mark is asked for where it changed. */
export function lineUri(id: string, tone: Tone | undefined, age: number): vscode.Uri {
  return vscode.Uri.from({ scheme: SCHEME, path: `/${id}`, query: `${tone ?? ''}.${String(age)}` });
}

/**
 * The marks at the ends of lines. VS Code asks for the mark of a line when it draws it, so this is also how it is known
 * which of many lines somebody can see.
 */
export class LineMarks implements vscode.FileDecorationProvider, vscode.Disposable {
  readonly #seen = new Changes<string>();

  /** Told of the id of a line that somebody sees. */
  readonly onSeen = this.#seen.on;

  provideFileDecoration({ scheme, path, query }: vscode.Uri): vscode.FileDecoration | undefined {
    if (scheme !== SCHEME) return undefined;
    this.#seen.fire(path.slice(1));
    const tone = query.split('.')[0] ?? '';
    if (!isTone(tone)) return undefined;
    const { badge, colour } = TONE_MARKS[tone];
    return new vscode.FileDecoration(badge, undefined, new vscode.ThemeColor(colour));
  }

  dispose(): void {
    this.#seen.dispose();
  }
}
