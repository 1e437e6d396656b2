import { randomBytes } from 'node:crypto';

import * as vscode from 'vscode';
import * as z from 'zod/mini';

import type { Clock } from '../../domain/time.ts';
import { commandId } from '../product.ts';
import type { Reader } from '../reader.ts';
import type { TeamModel } from './team-model.ts';
import { teamMessage } from './team-words.ts';
import { type TimelineContent, timelineContent, timelinePage } from './timeline-page.ts';

/** All that the page may say: that it stands, which it does each time it is shown, and what somebody pressed. */
const Message = z.discriminatedUnion('act', [
  z.object({ act: z.literal('stand') }),
  z.object({ act: z.enum(['extend', 'revoke']), grantId: z.string() }),
]);

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
  const reader = (): Reader => ({
    l10n: vscode.l10n,
    locale: vscode.env.language,
    nowMs: clock.nowMs(),
  });
  const content = (): TimelineContent => ({
    data: team.data,
    message: teamMessage(vscode.l10n, team.state),
  });
  const draw = (): void => {
    void webview.postMessage({ content: timelineContent(reader(), content()) });
  };
  const parts = vscode.Disposable.from(
    team.onDidChange(draw),
    webview.onDidReceiveMessage((said: unknown) => {
      const message = Message.safeParse(said).data;
      if (message?.act === 'stand') draw();
      else if (message !== undefined) act(team, message.act, message.grantId);
    }),
  );
  panel.onDidChangeViewState(() => team.watched('timeline', panel.visible));
  panel.onDidDispose(() => {
    shown = undefined;
    team.watched('timeline', false);
    parts.dispose();
  });
  webview.html = timelinePage(reader(), {
    ...content(),
    nonce: randomBytes(16).toString('base64url'),
    cspSource: webview.cspSource,
    scriptUri: webview.asWebviewUri(vscode.Uri.joinPath(folder, 'timeline.js')).toString(),
    styleUri: webview.asWebviewUri(vscode.Uri.joinPath(folder, 'timeline.css')).toString(),
  });
  team.watched('timeline', true);
  await team.read();
}

/** A page says which access is meant; what is done to it is done to what the control plane told, and asks first. */
function act(team: TeamModel, what: keyof typeof COMMANDS, grantId: string): void {
  const grant = team.data?.grants.find(({ id }) => id === grantId);
  if (grant !== undefined) void vscode.commands.executeCommand(commandId(COMMANDS[what]), { grant });
}
