import type { Pointer } from './terminal.ts';

/** What the broker says to a program that has a pointer, on a connection of its own. */
export async function askBroker({ url, host }: Pointer): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(url ?? '', {
    headers: {
      'X-Databricks-Metadata-Version': '1',
      'X-Databricks-Host': host ?? '',
      connection: 'close',
    },
  });
  return { status: answer.status, body: await answer.json() };
}
