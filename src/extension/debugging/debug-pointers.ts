import { readFile } from 'node:fs/promises';

import * as vscode from 'vscode';
import * as z from 'zod/mini';

import type { Folder, FolderInjection } from '../injection/folder-injection.ts';
import type { FolderMemory } from '../injection/folder-memory.ts';
import { pointDebugSession } from './debug-environment.ts';

/** The debuggers of Python: that of today, and the name that older configurations have. */
const DEBUG_TYPES = ['debugpy', 'python'] as const;

const Launch = z.object({
  request: z.literal('launch'),
  env: z._default(z.record(z.string(), z.unknown()), {}),
  envFile: z.optional(z.string()),
  /** Databricks' own extension gives this session its environment. */
  databricks: z.optional(z.unknown()),
});

/** What {@link registerDebugPointers} needs. */
export interface DebugPointerOptions {
  readonly folders: () => readonly Folder[];
  readonly injection: Pick<FolderInjection, 'environment'>;
  readonly memory: Pick<FolderMemory, 'isToldOfOwnSettings' | 'setToldOfOwnSettings'>;
}

/** Gives debug sessions of Python programs and tests the pointer of their folder. */
export function registerDebugPointers(options: DebugPointerOptions): vscode.Disposable {
  const told = new Set<string>();

  const tell = async (folder: Folder, configuration: string, variable: string): Promise<void> => {
    const what = `${folder.uri}#${configuration}`;
    if (told.has(what) || options.memory.isToldOfOwnSettings(what)) return;
    told.add(what);
    const dontSay = vscode.l10n.t("Don't Show Again");
    const line = vscode.l10n.t(
      'The debug configuration {0} sets {1} itself, so OAM leaves it alone.',
      configuration,
      variable,
    );
    if ((await vscode.window.showInformationMessage(line, dontSay)) === dontSay) {
      await options.memory.setToldOfOwnSettings(what);
    }
  };

  const provider: vscode.DebugConfigurationProvider = {
    async resolveDebugConfigurationWithSubstitutedVariables(workspaceFolder, configuration) {
      const folder = folderOf(workspaceFolder, options.folders());
      const ours = folder && options.injection.environment(folder);
      const launch = Launch.safeParse(configuration);
      if (folder === undefined || ours === undefined || !launch.success) return configuration;
      const { env, envFile, databricks } = launch.data;
      if (databricks !== undefined && databricks !== false) return configuration;
      const text = envFile === undefined ? undefined : await readFile(envFile, 'utf8').catch(() => undefined);
      const pointed = pointDebugSession({ env, envFile: text }, ours);
      if (pointed.kind === 'pointed') return { ...configuration, env: pointed.env };
      void tell(folder, configuration.name, pointed.found[0]?.name ?? 'DATABRICKS_HOST');
      return configuration;
    },
  };
  return vscode.Disposable.from(
    ...DEBUG_TYPES.map((type) => vscode.debug.registerDebugConfigurationProvider(type, provider)),
  );
}

/** A session without a folder belongs to the only one of the window. */
function folderOf(
  workspaceFolder: vscode.WorkspaceFolder | undefined,
  folders: readonly Folder[],
): Folder | undefined {
  if (workspaceFolder === undefined) return folders.length === 1 ? folders[0] : undefined;
  return folders.find(({ uri }) => uri === workspaceFolder.uri.toString());
}
