import { randomBytes } from 'node:crypto';

import * as vscode from 'vscode';
import * as z from 'zod/mini';

import type { Clock } from '../../domain/time.ts';
import { commandId } from '../product.ts';
import type { TeamModel } from './team-model.ts';
import { teamMessage } from './team-words.ts';
import { timelinePage } from './timeline-page.ts';

/** All that the page may say. */
const Message = z.object({ act: z.enum(['extend', 'revoke']), grantId: z.string() });

const COMMANDS = { extend: 'extendAccess', revoke: 'revoke' } as const;

/** What {@link showTimeline} needs. */
export interface TimelineParts {
  readonly team: TeamModel;
  readonly clock: Clock;
  readonly extensionUri: vscode.Uri;
}

let shown: vscode.WebviewPanel | undefined;

/** Shows the coming hours of the team as a picture; the one that is shown, where there is one. */
export async function showTimeline({ team, clock, extensionUri }: TimelineParts): Promise<void> {
  if (shown !== undefined) {
    shown.reveal();
    return;
  }
  const folder = vscode.Uri.joinPath(extensionUri, 'media', 'timeline');
  const panel = vscode.window.createWebviewPanel(
    'databricksMlOam.timeline',
    vscode.l10n.t('Team Timeline'),
    vscode.ViewColumn.Active,
    { enableScripts: true, localResourceRoots: [folder] },
  );
  shown = panel;
  const { webview } = panel;
  const draw = (): void => {
    webview.html = timelinePage(
      { l10n: vscode.l10n, locale: vscode.env.language, nowMs: clock.nowMs() },
      {
        data: team.data,
        message: teamMessage(vscode.l10n, team.state),
        nonce: randomBytes(16).toString('base64url'),
        cspSource: webview.cspSource,
        scriptUri: webview.asWebviewUri(vscode.Uri.joinPath(folder, 'timeline.js')).toString(),
        styleUri: webview.asWebviewUri(vscode.Uri.joinPath(folder, 'timeline.css')).toString(),
      },
    );
  };
  const parts = vscode.Disposable.from(
    team.onDidChange(draw),
    webview.onDidReceiveMessage((message: unknown) => act(team, message)),
  );
  panel.onDidChangeViewState(() => team.watched('timeline', panel.visible));
  panel.onDidDispose(() => {
    shown = undefined;
    team.watched('timeline', false);
    parts.dispose();
  });
  draw();
  team.watched('timeline', true);
  await team.read();
}

/** A page says which access is meant; what is done to it is done to what the control plane told, and asks first. */
function act(team: TeamModel, message: unknown): void {
  const said = Message.safeParse(message);
  if (!said.success) return;
  const grant = team.data?.grants.find(({ id }) => id === said.data.grantId);
  if (grant !== undefined) void vscode.commands.executeCommand(commandId(COMMANDS[said.data.act]), { grant });
}
