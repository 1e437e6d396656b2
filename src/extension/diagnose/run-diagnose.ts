import * as vscode from 'vscode';
import * as z from 'zod/mini';

import type { Redactor } from '../../domain/redaction.ts';
import { EXTENSION_ID, PRODUCT } from '../product.ts';
import type { SnapshotDocuments } from '../snapshot-documents.ts';
import { diagnose, type DiagnoseParts } from './checks.ts';
import type { Finding } from './finding.ts';
import type { ProxyFacts } from './proxy.ts';
import { reportOf } from './report.ts';

/** What the command needs besides what VS Code says. */
export interface RunDiagnoseParts extends Omit<DiagnoseParts, 'l10n' | 'proxy'> {
  readonly redactor: Redactor;
  readonly snapshots: Pick<SnapshotDocuments, 'showText'>;
  /** The environment that VS Code was started with. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Runs the checks and shows the report. */
export async function runDiagnose(parts: RunDiagnoseParts): Promise<void> {
  const found: Finding[] = [];
  await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Looking at your set-up'),
      cancellable: true,
    },
    async (progress, token) => {
      const controller = new AbortController();
      token.onCancellationRequested(() => controller.abort());
      await diagnose(
        { ...parts, l10n: vscode.l10n, proxy: proxyFacts(parts.environment) },
        controller.signal,
        (finding) => {
          found.push(finding);
          progress.report({ message: finding.what });
        },
      );
    },
  );
  const content = reportOf({ l10n: vscode.l10n, redactor: parts.redactor }, about(), found);
  await parts.snapshots.showText(`${vscode.l10n.t('Diagnose')}.txt`, content);
}

const Manifest = z.object({ version: z.string() });

function about(): string[] {
  const manifest = Manifest.safeParse(vscode.extensions.getExtension(EXTENSION_ID)?.packageJSON);
  return [
    `${PRODUCT} ${manifest.success ? manifest.data.version : ''}`,
    `VS Code ${vscode.version}, ${vscode.env.appHost}${vscode.env.remoteName === undefined ? '' : `, ${vscode.env.remoteName}`}`,
    `${process.platform} ${process.arch}, Node ${process.versions.node}`,
  ];
}

function proxyFacts(environment: ProxyFacts['environment']): ProxyFacts {
  const http = vscode.workspace.getConfiguration('http');
  return {
    settings: {
      'http.proxy': http.get('proxy', ''),
      'http.proxySupport': http.get('proxySupport', 'override'),
      'http.noProxy': http.get<string[]>('noProxy', []),
      'http.systemCertificates': http.get('systemCertificates', true),
      'http.proxyStrictSSL': http.get('proxyStrictSSL', true),
    },
    environment,
  };
}
