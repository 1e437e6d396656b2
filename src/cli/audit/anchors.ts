import type { Connection } from '../connection/connect.ts';
import type { Invocation } from '../invocation.ts';

/** `oam audit anchors` */
export async function printAnchors(connection: Connection, invocation: Invocation): Promise<void> {
  await connection.signedIn();
  const lines = await connection.lines.read('listAnchors', { signal: invocation.signals.stop });
  for await (const line of lines) invocation.answer(line);
}

/** `oam audit keys` */
export async function printKeys(connection: Connection, invocation: Invocation): Promise<void> {
  const keys = await connection.client.call('getAuditKeys', { signal: invocation.signals.stop });
  invocation.answer(JSON.stringify(keys));
}
