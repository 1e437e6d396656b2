/**
 * A process that opens a store on the folder in its argument and holds it until it is told to end, so that tests can
 * kill a whole control plane and not just an object. It prints one JSON line: opened, or why not.
 */
import { startEmbeddedPostgres } from '../../../../../src/control-plane/store/embedded/server.ts';
import { openStore } from '../../../../../src/control-plane/store/store.ts';
import { OamError } from '../../../../../src/domain/errors.ts';
import type { Logger } from '../../../../../src/domain/logger.ts';

const [, , dataFolder = '', programs] = process.argv;

const say =
  (level: string) =>
  (message: string, fields: object = {}): void => {
    process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`);
  };
const logger: Logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };

try {
  const opened =
    programs === undefined
      ? await openStore({ dataFolder, logger })
      : await startEmbeddedPostgres({ dataFolder, logger, programs });
  process.once('SIGTERM', () => {
    void opened.close().then(() => {
      process.exit(0);
    });
  });
  process.once('SIGHUP', () => {
    // Ends like a program that forgot to close.
    process.exit(0);
  });
  setInterval(() => undefined, 60_000);
  process.stdout.write(`${JSON.stringify({ opened: true })}\n`);
} catch (error) {
  const code = error instanceof OamError ? error.code : 'unexpected';
  process.stdout.write(`${JSON.stringify({ opened: false, code, message: String(error) })}\n`);
  process.exitCode = 1;
}
