import * as vscode from 'vscode';

import { CONTEXT_EXTENSION } from './names.ts';

/** A real extension's context. */
export async function extensionContext(): Promise<vscode.ExtensionContext> {
  const extension = vscode.extensions.getExtension<vscode.ExtensionContext>(CONTEXT_EXTENSION);
  if (extension === undefined) throw new Error(`${CONTEXT_EXTENSION} is not installed.`);
  return extension.activate();
}
