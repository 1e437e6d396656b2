import * as vscode from 'vscode';

import { OamError } from '../../domain/errors.ts';
import type { Clock } from '../../domain/time.ts';
import { askWhere, tellOfFile } from '../save-file.ts';
import type { TeamData } from './team-data.ts';
import { teamCsv } from './team-export.ts';
import type { TeamModel } from './team-model.ts';

/**
 * What is known of the teams now.
 *
 * @throws {OamError} why it could not be read; `not_a_lead` for somebody who leads none.
 */
export async function teamNow(team: TeamModel): Promise<TeamData> {
  await team.read();
  if (team.data !== undefined) return team.data;
  if (team.state.kind === 'failed') throw team.state.error;
  throw new OamError('not_a_lead', 'You lead no team. What you hold yourself is under My Access.');
}

/** Writes all that ends into a file for a spreadsheet. */
export async function exportTeam(team: TeamModel, clock: Clock): Promise<void> {
  const data = await teamNow(team);
  const day = new Date(clock.nowMs()).toISOString().slice(0, 10);
  const uri = await askWhere(`team-access-${day}.csv`, vscode.l10n.t('Comma-separated values'), 'csv');
  const text = teamCsv({ l10n: vscode.l10n, locale: vscode.env.language, nowMs: clock.nowMs() }, data);
  await vscode.workspace.fs.writeFile(uri, Buffer.from(text));
  void tellOfFile(uri, vscode.l10n.t('Exported what your teams hold.'));
}
