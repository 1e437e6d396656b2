import * as vscode from 'vscode';

import type { Logger } from '../../domain/logger.ts';
import type { Clock } from '../../domain/time.ts';
import type { Stoppable } from '../changes.ts';
import { errorWords } from '../commands/error-words.ts';
import { isCancellation, remedyCommand } from '../commands/show-error.ts';
import type { Connection } from '../connection/connection.ts';
import { DrawnLines } from '../drawn-lines.ts';
import { type AccessFilter, NO_FILTER } from './access-filter.ts';
import type { AccessModel } from './access-model.ts';
import {
  type AccessNode,
  type AssetsNode,
  nodeId,
  rowNodes,
  sectionNodes,
  workspaceNodes,
  type WorkspaceRef,
} from './access-nodes.ts';
import { assetMatches, assetNodes, linesAfter } from './asset-nodes.ts';
import { grantsByGroup, type RightsWords, rightsWords } from './asset-words.ts';
import { ASSET_KINDS, type AssetKind } from './entitlements.ts';
import type { LineMarks } from './line-marks.ts';
import { contextValue } from './node-capabilities.ts';
import { nodeWords, type NodeWords } from './node-words.ts';
import type { Reader } from '../reader.ts';
import { type AssetNode, SeenRights } from './seen-rights.ts';
import { tooltipOf, treeItem } from './tree-item.ts';

/** A list that still comes is drawn again this often, in milliseconds. */
const GROWTH_MS = 1_000;

/** What {@link AccessTree} needs. */
export interface AccessTreeOptions {
  readonly connection: Pick<Connection, 'state'>;
  readonly model: Pick<
    AccessModel,
    'data' | 'assets' | 'allAssets' | 'rights' | 'seenRights' | 'entitlementsAge' | 'onGrowth'
  >;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly marks: LineMarks;
  readonly later: (work: () => void, delayMs: number) => Stoppable;
}

/** The view "My Access". */
export class AccessTree implements vscode.TreeDataProvider<AccessNode>, vscode.Disposable {
  readonly #options: AccessTreeOptions;
  readonly #lines = new DrawnLines<AccessNode>(nodeId);
  readonly #rights: SeenRights;
  readonly #parts: Stoppable[];
  /** How often the end of a list was seen, by the id of the line above it. */
  readonly #endsSeen = new Map<string, number>();
  readonly #grown = new Set<AssetKind>();
  #growing: Stoppable | undefined;
  #filter: AccessFilter = NO_FILTER;

  readonly onDidChangeTreeData = this.#lines.onDidChange;

  constructor(options: AccessTreeOptions) {
    this.#options = options;
    this.#rights = new SeenRights({
      read: (node) => this.#readRights(node),
      onRead: (nodes) => this.#lines.redrawLines(nodes),
      later: options.later,
    });
    this.#parts = [
      this.#rights,
      options.marks.onSeen((id) => this.#seen(id)),
      options.model.onGrowth((kind) => this.#grow(kind)),
    ];
  }

  get filter(): AccessFilter {
    return this.#filter;
  }

  /** True where it is known that there is no line. */
  get isEmpty(): boolean {
    return this.#workspaces()?.length === 0;
  }

  /** The line that something is; undefined for what VS Code was not given by this tree. */
  lineOf(thing: unknown): AccessNode | undefined {
    return this.#lines.all.find((node) => node === thing);
  }

  /** Shows only what matches. */
  setFilter(filter: AccessFilter): void {
    if (filter.text === this.#filter.text) return;
    this.#filter = filter;
    this.#endsSeen.clear();
    this.redraw();
  }

  /** Draws everything again, where there is something else to draw; what is open and selected stays. */
  redraw(): void {
    this.#lines.redraw(this.#shownNow(), () => this.#rights.clear());
  }

  /** Draws again what says how much time is left. */
  redrawTimes(): void {
    this.#lines.redrawLines(this.#lines.all.filter(({ kind }) => kind === 'grant'));
  }

  async getChildren(node?: AccessNode): Promise<AccessNode[]> {
    const { data } = this.#options.model;
    const workspaces = this.#workspaces();
    if (workspaces === undefined || data === undefined) return [];
    switch (node?.kind) {
      case undefined:
        return workspaces;
      case 'workspace':
        return sectionNodes(node.workspace, data, this.#filter);
      case 'section':
        return node.section === 'entitlements' && !this.#filter.isEmpty
          ? this.#matchingKinds(node.workspace)
          : rowNodes(node.section, node.workspace, data, this.#filter);
      case 'assets':
        return this.#assets(node);
      case 'role':
      case 'request':
      case 'grant':
      case 'asset':
      case 'more':
      case 'words':
        return [];
    }
  }

  getTreeItem(node: AccessNode): vscode.TreeItem {
    const id = this.#lines.draw(node);
    const item = treeItem({
      // What was closed opens for a search, and is closed again after it.
      id: this.#filter.isEmpty ? id : `${id}?`,
      words: this.#words(node),
      contextValue: contextValue(node),
      children: childrenOf(node, !this.#filter.isEmpty),
      ...(node.kind === 'asset' && { age: this.#options.model.entitlementsAge }),
    });
    if (node.kind === 'words' && node.words.kind === 'failed') {
      item.command = remedyCommand(node.words.remedy, node.words.host);
    }
    // Left empty where more is to be said, so that VS Code asks for it when somebody points at the line.
    if (node.kind === 'asset' && this.#rightsWords(node) === undefined) item.tooltip = undefined;
    return item;
  }

  async resolveTreeItem(
    item: vscode.TreeItem,
    node: AccessNode,
    token: vscode.CancellationToken,
  ): Promise<vscode.TreeItem> {
    if (node.kind !== 'asset') return item;
    const words = nodeWords(this.#reader(), node);
    try {
      await this.#options.model.rights(node.workspace.host, node.asset);
      item.tooltip = tooltipOf({
        ...words,
        tooltip: [...words.tooltip, ...(this.#rightsWords(node)?.lines ?? [])],
      });
    } catch (error) {
      if (token.isCancellationRequested || isCancellation(error)) return item;
      item.tooltip = tooltipOf({
        ...words,
        tooltip: [...words.tooltip, errorWords(vscode.l10n, error).message],
      });
    }
    return item;
  }

  dispose(): void {
    for (const part of this.#parts) part.dispose();
    this.#growing?.dispose();
    this.#lines.dispose();
  }

  /** The first lines; undefined while they are not known. */
  #workspaces(): AccessNode[] | undefined {
    const { state } = this.#options.connection;
    const { data } = this.#options.model;
    return state.kind !== 'signedIn' || data === undefined
      ? undefined
      : workspaceNodes(state.trust.workspaces, data);
  }

  /** All that the lines hang on, but the time. */
  #shownNow(): unknown {
    const { connection, model } = this.#options;
    const { state } = connection;
    return [
      state.kind === 'signedIn' ? [state.session.subject, state.trust.workspaces] : state.kind,
      model.data,
      model.entitlementsAge,
      this.#filter.text,
    ];
  }

  #reader(): Reader {
    return { l10n: vscode.l10n, locale: vscode.env.language, nowMs: this.#options.clock.nowMs() };
  }

  #words(node: AccessNode): NodeWords {
    const words = nodeWords(this.#reader(), node);
    const rights = node.kind === 'asset' ? this.#rightsWords(node) : undefined;
    if (rights === undefined) return words;
    const { description, lines, tone } = rights;
    return {
      ...words,
      description,
      tone,
      tooltip: [...words.tooltip, ...lines],
      spoken: [words.label, ...lines].join(', '),
    };
  }

  #rightsWords({ asset, workspace }: AssetNode): RightsWords | undefined {
    const { model } = this.#options;
    const rights = model.seenRights(workspace.host, asset);
    if (rights === undefined || model.data === undefined) return undefined;
    return rightsWords(this.#reader(), asset, rights, grantsByGroup(model.data));
  }

  async #assets(node: AssetsNode): Promise<AccessNode[]> {
    const { model } = this.#options;
    const id = nodeId(node);
    const { host } = node.workspace;
    const failure = (error: unknown): AccessNode[] => this.#failure(id, host, error);
    const lines = linesAfter(this.#endsSeen.get(id) ?? 0);
    try {
      const list = await model.assets(host, node.assetKind, lines);
      return assetNodes(node, list, this.#filter, lines, failure);
    } catch (error) {
      return failure(error);
    }
  }

  /** The kinds that have something that matches. A search looks at all of each, also at what nobody scrolled to. */
  async #matchingKinds(workspace: WorkspaceRef): Promise<AccessNode[]> {
    const { model } = this.#options;
    const filter = this.#filter;
    const kinds = await Promise.all(
      ASSET_KINDS.map(async (assetKind): Promise<AccessNode[]> => {
        try {
          const list = await model.allAssets(workspace.host, assetKind);
          if (list.kind === 'notVisible') return [];
          const count = list.assets.filter((asset) => assetMatches(filter, asset)).length;
          return count === 0 ? [] : [{ kind: 'assets', assetKind, workspace, count }];
        } catch (error) {
          return this.#failure(`workspace/${workspace.name}/search/${assetKind}`, workspace.host, error);
        }
      }),
    );
    const found = kinds.flat();
    if (found.length > 0) return found;
    const id = `workspace/${workspace.name}/search`;
    return [{ kind: 'words', id, words: { kind: 'noMatch', filter: filter.text } }];
  }

  #failure(id: string, host: string, error: unknown): AccessNode[] {
    // The person has signed out meanwhile, and everything is drawn anew.
    if (isCancellation(error)) return [];
    const { message, remedy } = errorWords(vscode.l10n, error);
    // Whoever looks at a list wants to see it: the log is for what nobody can try again.
    const words = { kind: 'failed', message, remedy: remedy === 'showLog' ? 'retry' : remedy, host } as const;
    return [{ kind: 'words', id, words }];
  }

  #seen(id: string): void {
    const node = this.#lines.at(id.replace(/\?$/, ''));
    if (node?.kind === 'asset') this.#rights.seen(node);
    if (node?.kind === 'more') {
      const list = nodeId(node.list);
      this.#endsSeen.set(list, (this.#endsSeen.get(list) ?? 0) + 1);
      this.#lines.redrawLines([node.list]);
    }
  }

  async #readRights({ asset, workspace }: AssetNode): Promise<void> {
    try {
      await this.#options.model.rights(workspace.host, asset);
    } catch (error) {
      if (isCancellation(error)) return;
      // The line stays without; who points at it is told why.
      this.#options.logger.info('The rights on an asset could not be read', { error: String(error) });
    }
  }

  #grow(kind: AssetKind): void {
    this.#grown.add(kind);
    this.#growing ??= this.#options.later(() => {
      this.#growing = undefined;
      const lists = this.#lines.all.filter(
        (node) => node.kind === 'assets' && this.#grown.has(node.assetKind),
      );
      this.#grown.clear();
      this.#lines.redrawLines(lists);
    }, GROWTH_MS);
  }
}

function childrenOf(node: AccessNode, isSearch: boolean): 'none' | 'closed' | 'open' {
  switch (node.kind) {
    case 'workspace':
      return 'open';
    case 'section':
      return !isSearch && (node.section === 'entitlements' || node.section === 'closedRoles')
        ? 'closed'
        : 'open';
    case 'assets':
      return isSearch ? 'open' : 'closed';
    case 'role':
    case 'request':
    case 'grant':
    case 'asset':
    case 'more':
    case 'words':
      return 'none';
  }
}
