import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

import type { Cleanup } from '../../demo/stage/cleanup.ts';
import { MissingPrerequisite } from '../../demo/stage/preflight.ts';
import { installPython, type PythonEnvironment } from '../../demo/stage/python.ts';
import { startStage, type Stage } from '../../demo/stage/stage.ts';
import type { HostFacts } from './names.ts';

/** What the windows of the suite meet outside: a company, and Python where it can be had. */
export interface Company {
  readonly stage: Stage;
  /** The folder of Python's programs; none where there is no Python. */
  readonly path: readonly string[];
  /** User settings: the same way to sign in in a browser as on a desktop. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Names the {@link HostFacts}. */
  readonly factsFile: string;
}

const ACCESS_TOKEN_SECONDS = 20;

/** Starts it. */
export async function startCompany(cleanup: Cleanup, log: (line: string) => void): Promise<Company> {
  const python = await pythonOrReason(log);
  // Tokens so short that the tests see them replaced, and ended, without waiting long.
  const stage = await startStage({
    cleanup,
    absenceConfirmMs: 500,
    accessTokenSeconds: ACCESS_TOKEN_SECONDS,
    // One workspace by exchange, the other by a sign-in of its own.
    adjustCatalogue: (text) => text.replace('- name: ml-dev\n', '$&    tokenSource: databricks-sign-in\n'),
  });
  const control = await startControl(stage);
  cleanup.add(() => control.close());
  const facts: HostFacts = {
    noPython: typeof python === 'string' ? python : undefined,
    controlPlane: stage.controlPlane.url,
    issuer: stage.identityProvider.issuer,
    company: control.url,
    workspaces: { prod: stage.databricks.workspaces.prod.host, dev: stage.databricks.workspaces.dev.host },
  };
  const factsFile = join(stage.folder, 'facts.json');
  await writeFile(factsFile, JSON.stringify(facts));
  return {
    stage,
    path: typeof python === 'string' ? [] : [python.bin],
    settings: {
      ...stage.settings,
      'databricksMlOam.signInFlow': 'loopback',
      // What is not trusted stays so, without a question that the test driver would refuse.
      'security.workspace.trust.startupPrompt': 'never',
      'security.workspace.trust.banner': 'never',
    },
    factsFile,
  };
}

/** Lets the tests inside VS Code do what an administrator of the company does. */
async function startControl(stage: Stage): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const sub = /^\/revoke-sessions\/([^/]+)$/.exec(request.url ?? '')?.[1];
    if (request.method !== 'POST' || sub === undefined) {
      response.writeHead(404).end();
      return;
    }
    void stage.identityProvider.revokeSessions(decodeURIComponent(sub)).then(() => {
      response.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The company has no port.');
  return {
    url: `http://127.0.0.1:${String(address.port)}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function pythonOrReason(log: (line: string) => void): Promise<PythonEnvironment | string> {
  try {
    return await installPython(log);
  } catch (error) {
    if (error instanceof MissingPrerequisite) return error.message;
    throw error;
  }
}
