import * as vscode from 'vscode';

import { levelsOf, levelSuffices } from '../../domain/asset-right.ts';
import { CancelledError } from '../../domain/errors.ts';
import type { RoleView } from '../../protocol/schemas.ts';
import type { AccessModel } from '../access-view/access-model.ts';
import { takenBy, type WorkspaceRef } from '../access-view/access-nodes.ts';
import { grantsByGroup, rightsWords } from '../access-view/asset-words.ts';
import { type Asset, ASSET_KINDS, type Rights } from '../access-view/entitlements.ts';
import { takesRequest } from '../access-view/node-capabilities.ts';
import { assetKindTitle } from '../access-view/node-words.ts';
import type { Reader } from '../reader.ts';
import type { AssetNode } from '../access-view/seen-rights.ts';
import { BACK, pick } from '../commands/steps.ts';
import { isCancellation } from '../commands/show-error.ts';
import { roleDetail } from './request-draft.ts';
import { type Need, rolesFor } from './smallest-role.ts';

/** What {@link findRole} needs. */
export interface FindRoleOptions {
  readonly model: Pick<AccessModel, 'data' | 'allAssets' | 'rights'>;
  readonly workspaces: readonly WorkspaceRef[];
  readonly reader: () => Reader;
}

/** What somebody found: the role, and what they need it for. */
export interface FoundRole {
  readonly role: RoleView;
  readonly need: Need & { readonly level: string };
}

/**
 * Answers "What would give me EXECUTE on this model?": lets a person choose an asset, where they did not come from one,
 * and a level on it, and tells of each level which is the smallest role that gives it.
 *
 * @throws {CancelledError} where the person leaves.
 */
export async function findRole(options: FindRoleOptions, line: AssetNode | undefined): Promise<FoundRole> {
  for (;;) {
    const chosen = line ?? (await chooseAsset(options));
    const found = await chooseLevel(options, chosen, line === undefined);
    if (found !== BACK) return found;
  }
}

interface AssetItem extends vscode.QuickPickItem {
  readonly asset: Asset;
  readonly workspace: WorkspaceRef;
}

/** A list that fills while it is shown: Databricks' lists are long, and the first will often do. */
function chooseAsset({ model, workspaces }: FindRoleOptions): Promise<AssetNode> {
  const { l10n } = vscode;
  const input = vscode.window.createQuickPick<AssetItem>();
  input.title = title();
  input.step = 1;
  input.totalSteps = 2;
  input.placeholder = l10n.t('On what do you need a right?');
  input.matchOnDescription = true;
  input.busy = true;
  const read = workspaces.flatMap((workspace) =>
    ASSET_KINDS.filter((kind) => kind !== 'groups').map(async (kind) => {
      const list = await model.allAssets(workspace.host, kind);
      if (list.kind === 'notVisible') return;
      const description = l10n.t('{0}, {1}', assetKindTitle(l10n, kind), workspace.name);
      const added = list.assets.map((asset) => ({ label: asset.name, description, asset, workspace }));
      input.items = [...input.items, ...added];
    }),
  );
  return new Promise((resolve, reject) => {
    let isOver = false;
    void Promise.allSettled(read).then((outcomes) => {
      if (isOver) return;
      input.busy = false;
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (input.items.length > 0 || failed === undefined) return;
      const reason: unknown = failed.reason;
      reject(reason instanceof Error ? reason : new CancelledError());
      input.hide();
    });
    input.onDidAccept(() => {
      const [item] = input.selectedItems;
      if (item === undefined) return;
      resolve({ kind: 'asset', asset: item.asset, workspace: item.workspace });
      input.hide();
    });
    input.onDidHide(() => {
      isOver = true;
      reject(new CancelledError());
      input.dispose();
    });
    input.show();
  });
}

async function chooseLevel(
  { model, reader }: FindRoleOptions,
  { asset, workspace }: AssetNode,
  hasBack: boolean,
): Promise<FoundRole | typeof BACK> {
  const { l10n } = vscode;
  const { kind, name } = asset;
  const { data } = model;
  if (data === undefined || kind === 'groups') throw new CancelledError();
  const here = data.roles.filter((role) => role.workspace.name === workspace.name);
  const rights = await model.rights(workspace.host, asset).catch((error: unknown): Rights => {
    if (isCancellation(error)) throw error;
    return { kind: 'notVisible' };
  });
  const isHeld = (level: string): boolean =>
    rights.kind === 'listed' && rights.levels.some((right) => levelSuffices(kind, right.level, level));
  const items = levelsOf(kind).map((level) => {
    const role = rolesFor({ kind, name, level }, here)[0];
    const taken = role === undefined ? undefined : takenBy(role, data);
    const [icon, description] = ((): readonly [string, string] => {
      if (isHeld(level)) return ['pass', l10n.t('you have it')];
      if (role === undefined) return ['circle-slash', l10n.t('no role of yours gives it')];
      if (taken === 'asked') return ['clock', l10n.t('asked for: {0}', role.title)];
      if (taken === 'held') return ['pass', l10n.t('you hold it: {0}', role.title)];
      return [takesRequest(role, taken) ? 'key' : 'lock', role.title];
    })();
    return {
      label: level,
      description,
      iconPath: new vscode.ThemeIcon(icon),
      ...(role !== undefined && { detail: roleDetail(l10n, role) }),
      level,
      role: role !== undefined && !isHeld(level) && takesRequest(role, taken) ? role : undefined,
    };
  });
  for (;;) {
    const chosen = await pick({
      title: l10n.t('What Would Give Me {0}?', name),
      ...(hasBack && { step: 2, steps: 2 }),
      hasBack,
      placeholder: l10n.t(
        'What do you need on it? Now: {0}',
        rightsWords(reader(), asset, rights, grantsByGroup(data)).description,
      ),
      items,
      active: (item) => item.role !== undefined,
    });
    if (chosen === BACK) return BACK;
    if (chosen.role !== undefined) return { role: chosen.role, need: { kind, name, level: chosen.level } };
    void vscode.window.showInformationMessage(
      [
        `${chosen.label}: ${chosen.description}.`,
        ...(chosen.detail === undefined ? [] : [chosen.detail]),
      ].join(' '),
    );
  }
}

const title = (): string => vscode.l10n.t('What Would Give Me This?');
