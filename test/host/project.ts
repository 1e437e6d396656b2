import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { ROOT } from '../../demo/stage/folders.ts';
import type { WindowKind } from './names.ts';

/** What a window opens: a folder, or a workspace file that names two. */
export interface Project {
  readonly kind: 'folder' | 'workspace';
  readonly path: string;
}

/** The names of the trusted window's folders. */
export const FOLDERS = ['next-shelf', 'other-work'] as const;

/** Makes what a window opens. */
export async function makeProject(folder: string, window: WindowKind): Promise<Project> {
  const sample = join(folder, FOLDERS[0]);
  await cp(join(ROOT, 'demo/project'), sample, { recursive: true });
  if (window !== 'trusted') return { kind: 'folder', path: sample };
  await mkdir(join(folder, FOLDERS[1]));
  const file = join(folder, 'both.code-workspace');
  await writeFile(file, JSON.stringify({ folders: FOLDERS.map((path) => ({ path })) }));
  return { kind: 'workspace', path: file };
}
