import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import { askWhere, tellOfFile } from '../save-file.ts';
import { teamCsv } from './team-csv.ts';
import type { TeamModel } from './team-model.ts';
import { teamNow } from './team-now.ts';

/** Writes all that ends into a file for a spreadsheet. */
export async function exportTeam(team: TeamModel, clock: Clock): Promise<void> {
  const data = await teamNow(team);
  const day = new Date(clock.nowMs()).toISOString().slice(0, 10);
  const uri = await askWhere(`team-access-${day}.csv`, vscode.l10n.t('Comma-separated values'), 'csv');
  const text = teamCsv({ l10n: vscode.l10n, locale: vscode.env.language, nowMs: clock.nowMs() }, data);
  await vscode.workspace.fs.writeFile(uri, Buffer.from(text));
  void tellOfFile(uri, vscode.l10n.t('Exported what your teams hold.'));
}
