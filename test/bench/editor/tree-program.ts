import { writeFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import * as vscode from 'vscode';

import { silentLogger } from '../../../src/domain/logger.ts';
import { AccessFilter, NO_FILTER } from '../../../src/extension/access-view/access-filter.ts';
import type { AccessNode } from '../../../src/extension/access-view/access-nodes.ts';
import { AccessTree, type AccessTreeOptions } from '../../../src/extension/access-view/access-tree.ts';
import type { Asset, AssetList } from '../../../src/extension/access-view/entitlements.ts';
import { GrowingList } from '../../../src/extension/access-view/growing-list.ts';
import { LineMarks } from '../../../src/extension/access-view/line-marks.ts';
import { aMe, aRole, ANA_SESSION, PROD, TRUST } from '../../unit/extension/views.ts';
import { fakeControlPlane } from '../../unit/extension/control-plane.ts';
import { PAGE_ROWS, RESULT_FILE, ROWS, type TreeResult } from './names.ts';

const VIEW = 'databricksMlOam.access';

const asset = (prefix: string, index: number): Asset => ({
  kind: 'models',
  id: `${prefix}.recsys.model_${String(index).padStart(5, '0')}`,
  name: `${prefix}.recsys.model_${String(index).padStart(5, '0')}`,
  note: 'owner',
});

/** A list of models whose pages come when they are let, as Databricks' do. */
function comingList(prefix: string, onGrow: () => void) {
  const all = Array.from({ length: ROWS }, (_, index) => asset(prefix, index));
  const end = Promise.withResolvers<AssetList>();
  let page: (assets: readonly Asset[]) => void = () => undefined;
  const list = new GrowingList((onPage) => {
    page = (assets) => void onPage(assets);
    return end.promise;
  }, onGrow);
  return {
    list,
    async come(): Promise<void> {
      for (let from = 0; from < ROWS; from += PAGE_ROWS) {
        page(all.slice(from, from + PAGE_ROWS));
        // Each page is an answer of its own.
        await delay(1);
      }
      end.resolve({ kind: 'listed', assets: all });
      await list.whole();
    },
  };
}

/** Shows ten thousand lines in the side bar, by the product's tree and then by a plain one. */
export async function run(): Promise<void> {
  const file = process.env[RESULT_FILE];
  if (file === undefined) throw new Error('There is nowhere to write.');
  await vscode.extensions.getExtension('databricks-ml-oam.databricks-ml-oam')?.activate();
  await vscode.commands.executeCommand(`${VIEW}.focus`);
  await vscode.commands.executeCommand('setContext', 'databricksMlOam.view', 'signedIn');
  await delay(2_000);

  const growth = new Set<(kind: 'models') => void>();
  const coming = comingList('bench', () => growth.forEach((tell) => tell('models')));
  const empty: AssetList = { kind: 'listed', assets: [] };
  const model: AccessTreeOptions['model'] = {
    data: {
      me: aMe(),
      roles: [aRole()],
      requests: [],
      grants: [],
      toApprove: [],
      toReview: [],
    },
    entitlementsAge: 0,
    assets: async (_host, kind) => {
      if (kind !== 'models') return { ...empty, kind: 'listed', isWhole: true };
      await coming.list.begun;
      return coming.list.soFar;
    },
    allAssets: (_host, kind) => (kind === 'models' ? coming.list.whole() : Promise.resolve(empty)),
    rights: () =>
      Promise.resolve({ kind: 'listed', levels: [{ level: 'EXECUTE', through: { kind: 'self' } }] }),
    seenRights: () => undefined,
    onGrowth: (tell) => {
      growth.add(tell);
      return { dispose: () => void growth.delete(tell) };
    },
  };
  const marks = new LineMarks();
  const tree = new AccessTree({
    connection: {
      state: {
        kind: 'signedIn',
        url: 'https://oam.example.com',
        trust: { ...TRUST, workspaces: [PROD] },
        session: ANA_SESSION,
        client: fakeControlPlane({}).client,
        caller: { baseUrl: 'https://oam.example.com', accessToken: () => Promise.resolve(undefined) },
      },
    },
    model,
    clock: { nowMs: () => Date.now() },
    logger: silentLogger,
    marks,
    later: (work, ms) => {
      const timer = setTimeout(work, ms);
      return { dispose: () => clearTimeout(timer) };
    },
  });
  // What is closed at first is open here: nobody is there to click.
  const opened: vscode.TreeDataProvider<AccessNode> = {
    onDidChangeTreeData: tree.onDidChangeTreeData,
    getChildren: (node) => tree.getChildren(node),
    getTreeItem: (node) => {
      const item = tree.getTreeItem(node);
      if (item.collapsibleState === vscode.TreeItemCollapsibleState.Collapsed) {
        item.collapsibleState = vscode.TreeItemCollapsibleState.Expanded;
      }
      return item;
    },
  };
  const registered = vscode.window.registerFileDecorationProvider(marks);
  const view = vscode.window.createTreeView(VIEW, { treeDataProvider: opened });
  tree.redraw();
  await delay(1_500);

  const blocked = monitorEventLoopDelay({ resolution: 1 });
  blocked.enable();
  const dataAtMs = Date.now();
  await coming.come();
  await delay(3_000);
  const searchAtMs = Date.now();
  tree.setFilter(new AccessFilter(`model_0${String(ROWS - 1).slice(-4)}`));
  await delay(2_000);
  tree.setFilter(NO_FILTER);
  await delay(1_000);
  blocked.disable();
  view.dispose();

  // The plain way: every line at once.
  const all = Array.from({ length: ROWS }, (_, index) => asset('plain', index).name);
  let plainAtMs = 0;
  const plainBlocked = monitorEventLoopDelay({ resolution: 1 });
  plainBlocked.enable();
  const plain = vscode.window.createTreeView<string>(VIEW, {
    treeDataProvider: {
      getChildren: (name) => {
        plainAtMs ||= Date.now();
        return name === undefined ? all : [];
      },
      getTreeItem: (name) => new vscode.TreeItem(name),
    },
  });
  await delay(6_000);
  plainBlocked.disable();
  const result: TreeResult = {
    dataAtMs,
    searchAtMs,
    plainAtMs,
    longestBlockMs: blocked.max / 1e6,
    plainLongestBlockMs: plainBlocked.max / 1e6,
  };
  await writeFile(file, JSON.stringify(result));
  plain.dispose();
  registered.dispose();
  tree.dispose();
}
