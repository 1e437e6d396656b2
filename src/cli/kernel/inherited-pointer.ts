import type { PointerEnvironment } from '../../broker/index.ts';
import { SECOND_MS } from '../../domain/time.ts';
import type { Invocation } from '../invocation.ts';

/** A kernel does not wait long for somebody else's broker. */
const WITHIN_MS = 2 * SECOND_MS;

/**
 * The pointer that the kernel's surroundings have already, as under `oam exec -- papermill`, where it answers for the
 * same workspace: whoever started Jupyter that way chose as whom it works. One that has ended is no such choice.
 */
export async function inheritedPointer(
  host: string,
  env: Invocation['env'],
): Promise<PointerEnvironment | undefined> {
  const url = env['DATABRICKS_METADATA_SERVICE_URL'];
  if (env['DATABRICKS_HOST'] !== host || env['DATABRICKS_AUTH_TYPE'] !== 'metadata-service') return undefined;
  if (url === undefined || !/^http:\/\/127\.0\.0\.1:\d+\//.test(url)) return undefined;
  try {
    const answer = await fetch(url, {
      headers: { 'x-databricks-metadata-version': '1', 'x-databricks-host': host, connection: 'close' },
      redirect: 'error',
      signal: AbortSignal.timeout(WITHIN_MS),
    });
    await answer.body?.cancel();
    if (!answer.ok) return undefined;
  } catch {
    return undefined;
  }
  return {
    DATABRICKS_HOST: host,
    DATABRICKS_AUTH_TYPE: 'metadata-service',
    DATABRICKS_METADATA_SERVICE_URL: url,
  };
}
