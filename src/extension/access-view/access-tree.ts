import * as vscode from 'vscode';

import type { Logger } from '../../domain/logger.ts';
import type { Clock } from '../../domain/time.ts';
import { errorWords } from '../commands/error-words.ts';
import { isCancellation } from '../commands/show-error.ts';
import type { Connection } from '../connection/connection.ts';
import type { AccessModel } from './access-model.ts';
import { type AccessNode, nodeId, rowNodes, sectionNodes, workspaceNodes } from './access-nodes.ts';
import type { Asset, Rights } from './entitlements.ts';
import { contextValue } from './node-capabilities.ts';
import { nodeWords, type Reader } from './node-words.ts';
import { treeItem } from './tree-item.ts';

/** Endpoints tell the person's level one by one; this many are asked at a time. */
const RIGHTS_AT_A_TIME = 4;

type AssetNode = Extract<AccessNode, { kind: 'asset' }>;

/** The view "My Access". */
export class AccessTree implements vscode.TreeDataProvider<AccessNode>, vscode.Disposable {
  readonly #connection: Connection;
  readonly #model: AccessModel;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #changed = new vscode.EventEmitter<AccessNode | undefined>();

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(connection: Connection, model: AccessModel, clock: Clock, logger: Logger) {
    this.#logger = logger;
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
    const level = node.kind === 'asset' ? this.#readLevel(node) : undefined;
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
      if (token.isCancellationRequested || isCancellation(error)) return item;
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
        void this.#readLevels(
          node,
          rows.filter(({ asset }) => asset.level === undefined),
        );
      }
      return rows;
    } catch (error) {
      // The person has signed out meanwhile, and everything is drawn anew.
      if (isCancellation(error)) return [];
      const { message } = errorWords(vscode.l10n, error);
      return [{ kind: 'words', id, words: { kind: 'failed', message } }];
    }
  }

  /** The level that was read of an asset whose list does not say it. */
  #readLevel({ asset, workspace }: AssetNode): string | undefined {
    if (asset.level !== undefined || asset.kind !== 'endpoints') return undefined;
    const rights = this.#model.seenRights(workspace.host, asset);
    if (rights?.kind !== 'listed') return undefined;
    return rights.levels.map(({ level }) => level).join(', ') || vscode.l10n.t('no level');
  }

  async #readLevels(parent: AccessNode, rows: readonly AssetNode[]): Promise<void> {
    const waiting = [...rows];
    let isNews = false;
    const reader = async (): Promise<void> => {
      for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
        const before = this.#readLevel(row);
        try {
          await this.#model.rights(row.workspace.host, row.asset);
        } catch (error) {
          if (isCancellation(error)) return;
          // The line stays without a level; who points at it is told why.
          this.#logger.info('The level on an endpoint could not be read', { error: String(error) });
        }
        isNews ||= this.#readLevel(row) !== before;
      }
    };
    await Promise.all(Array.from({ length: RIGHTS_AT_A_TIME }, reader));
    // Only these lines: a line that is drawn anew in the moment of a click does not know what was clicked.
    if (isNews) this.#changed.fire(parent);
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
