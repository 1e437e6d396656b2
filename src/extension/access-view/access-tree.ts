import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import { errorWords } from '../commands/error-words.ts';
import type { Connection } from '../connection/connection.ts';
import type { AccessModel } from './access-model.ts';
import { type AccessNode, nodeId, rowNodes, sectionNodes, workspaceNodes } from './access-nodes.ts';
import type { Asset, Rights } from './entitlements.ts';
import { contextValue } from './node-capabilities.ts';
import { nodeWords, type Reader } from './node-words.ts';
import { treeItem } from './tree-item.ts';

/** Endpoints tell the person's level one by one; this many are asked at a time. */
const RIGHTS_AT_A_TIME = 4;

/** The view "My Access". */
export class AccessTree implements vscode.TreeDataProvider<AccessNode>, vscode.Disposable {
  readonly #connection: Connection;
  readonly #model: AccessModel;
  readonly #clock: Clock;
  readonly #changed = new vscode.EventEmitter<AccessNode | undefined>();
  /** Levels that were read, by the id of the line. */
  readonly #levels = new Map<string, string>();

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(connection: Connection, model: AccessModel, clock: Clock) {
    this.#connection = connection;
    this.#model = model;
    this.#clock = clock;
  }

  /** Draws everything again; what is open and selected stays. */
  redraw(): void {
    this.#changed.fire(undefined);
  }

  async getChildren(node?: AccessNode): Promise<AccessNode[]> {
    const { state } = this.#connection;
    const { data } = this.#model;
    if (state.kind !== 'signedIn' || data === undefined) return [];
    switch (node?.kind) {
      case undefined:
        return workspaceNodes(state.trust.workspaces, data);
      case 'workspace':
        return sectionNodes(node.workspace, data);
      case 'section':
        return rowNodes(node.section, node.workspace, data);
      case 'assets':
        return this.#assets(node);
      case 'role':
      case 'request':
      case 'grant':
      case 'asset':
      case 'words':
        return [];
    }
  }

  getTreeItem(node: AccessNode): vscode.TreeItem {
    const words = nodeWords(this.#reader(), node);
    const isLevelListed = node.kind === 'asset' && node.asset.level !== undefined;
    const level = isLevelListed ? undefined : this.#levels.get(nodeId(node));
    const item = treeItem({
      id: nodeId(node),
      words:
        level === undefined ? words : { ...words, description: level, spoken: `${words.spoken}, ${level}` },
      contextValue: contextValue(node),
      children: childrenOf(node),
    });
    // Left empty, so that VS Code asks for it when somebody points at the line.
    if (node.kind === 'asset') item.tooltip = undefined;
    return item;
  }

  async resolveTreeItem(
    item: vscode.TreeItem,
    node: AccessNode,
    token: vscode.CancellationToken,
  ): Promise<vscode.TreeItem> {
    if (node.kind !== 'asset') return item;
    const lines = [...nodeWords(this.#reader(), node).tooltip];
    try {
      const rights = await this.#model.rights(node.workspace.host, node.asset);
      lines.push(...rightsLines(node.asset, rights));
    } catch (error) {
      if (token.isCancellationRequested) return item;
      lines.push(errorWords(vscode.l10n, error).message);
    }
    item.tooltip = lines.join('\n');
    return item;
  }

  dispose(): void {
    this.#changed.dispose();
  }

  #reader(): Reader {
    return { l10n: vscode.l10n, locale: vscode.env.language, nowMs: this.#clock.nowMs() };
  }

  async #assets(node: Extract<AccessNode, { kind: 'assets' }>): Promise<AccessNode[]> {
    const id = nodeId(node);
    try {
      const list = await this.#model.assets(node.workspace.host, node.assetKind);
      if (list.kind === 'notVisible') return [{ kind: 'words', id, words: { kind: 'notVisible' } }];
      if (list.assets.length === 0) return [{ kind: 'words', id, words: { kind: 'none' } }];
      const rows = list.assets.map((asset) => ({ kind: 'asset', asset, workspace: node.workspace }) as const);
      if (node.assetKind === 'endpoints') {
        void this.#readLevels(rows.filter(({ asset }) => asset.level === undefined));
      }
      return rows;
    } catch (error) {
      const { message } = errorWords(vscode.l10n, error);
      return [{ kind: 'words', id, words: { kind: 'failed', message } }];
    }
  }

  async #readLevels(rows: readonly Extract<AccessNode, { kind: 'asset' }>[]): Promise<void> {
    const waiting = [...rows];
    let isNews = false;
    const reader = async (): Promise<void> => {
      for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
        const rights = await this.#model
          .rights(row.workspace.host, row.asset)
          .catch((): Rights => ({ kind: 'notVisible' }));
        const level =
          rights.kind === 'listed'
            ? rights.levels.map(({ level: name }) => name).join(', ') || vscode.l10n.t('no level')
            : undefined;
        const id = nodeId(row);
        if (this.#levels.get(id) === level) continue;
        isNews = true;
        if (level === undefined) this.#levels.delete(id);
        else this.#levels.set(id, level);
      }
    };
    await Promise.all(Array.from({ length: RIGHTS_AT_A_TIME }, reader));
    if (isNews) this.redraw();
  }
}

function childrenOf(node: AccessNode): 'none' | 'closed' | 'open' {
  switch (node.kind) {
    case 'workspace':
      return 'open';
    case 'section':
      return node.section === 'entitlements' || node.section === 'closedRoles' ? 'closed' : 'open';
    case 'assets':
      return 'closed';
    case 'role':
    case 'request':
    case 'grant':
    case 'asset':
    case 'words':
      return 'none';
  }
}

function rightsLines(asset: Asset, rights: Rights): string[] {
  if (asset.kind === 'groups') return [];
  if (rights.kind === 'notVisible') return [vscode.l10n.t('Your rights on it are not visible to you.')];
  if (rights.levels.length === 0) return [vscode.l10n.t('Databricks names no right of yours on it.')];
  return rights.levels.map(({ level, through }) =>
    through === undefined ? level : vscode.l10n.t('{0} through {1}', level, through),
  );
}
