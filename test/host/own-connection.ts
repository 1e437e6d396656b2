import type * as vscode from 'vscode';

import { hostTrust } from '../../src/databricks/index.ts';
import { silentLogger } from '../../src/domain/logger.ts';
import { createRedactor } from '../../src/domain/redaction.ts';
import { secretAccountStores } from '../../src/extension/authentication/secret-session-store.ts';
import { Connection } from '../../src/extension/connection/connection.ts';
import { PinBoard } from '../../src/extension/connection/pinned-trust.ts';
import { type AccountStores, processRefreshLock } from '../../src/identity/index.ts';
import type { HttpTransport } from '../../src/protocol/transport.ts';
import { axiosTransport } from '../../src/protocol/transport.ts';
import { extensionContext } from './context.ts';
import { hostFacts } from './facts.ts';

/** Where the accounts of the test's own connection lie. */
const SECRET = 'session:of-the-test';

/** A connection to the company's control plane beside the extension's own, with real secrets. */
export interface OwnConnection extends Disposable {
  readonly connection: Connection;
  readonly secrets: vscode.SecretStorage;
  readonly stores: AccountStores;
  /** How many requests it sent to the control plane. */
  readonly sent: () => number;
  /** Lets its clock run ahead, in milliseconds. */
  hurry(ms: number): void;
}

/** Makes it; nobody is signed in there. */
export async function ownConnection(): Promise<OwnConnection> {
  const { secrets, globalState } = await extensionContext();
  const { controlPlane } = await hostFacts();
  const send = axiosTransport();
  const stores = secretAccountStores(secrets, SECRET);
  let requests = 0;
  let aheadMs = 0;
  const transport: HttpTransport = (request) => {
    requests += 1;
    return send(request);
  };
  const connection = new Connection({
    trust: () => hostTrust([]),
    address: () => controlPlane,
    pins: new PinBoard(globalState),
    stores: () => stores,
    lock: processRefreshLock,
    transport,
    confirmChange: () => Promise.resolve(false),
    clock: { nowMs: () => Date.now() + aheadMs },
    logger: silentLogger,
    redactor: createRedactor(),
  });
  await connection.start();
  return {
    connection,
    secrets,
    stores,
    sent: () => requests,
    hurry: (ms) => {
      aheadMs += ms;
    },
    [Symbol.dispose]: () => connection.dispose(),
  };
}
