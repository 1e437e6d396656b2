/** `npm run demo`: a company in one terminal. `npm run demo -- --tour` plays the path of a new user by itself. */
import { parseArgs } from 'node:util';

import { PEOPLE } from '../src/sandbox/identity-provider/index.ts';
import { Cleanup, cleanUpOnSignals } from './stage/cleanup.ts';
import { MissingPrerequisite, requireFreePorts } from './stage/preflight.ts';
import { startStage } from './stage/stage.ts';
import { installTools } from './stage/tools.ts';
import { windowMaker } from './stage/windows.ts';

const FIRST_PORT = 7654;

/** What a member's absence is read twice for: in a company 15 s apart, here less, so that nobody waits in vain. */
const ABSENCE_CONFIRM_MS = 3_000;

const cleanup = new Cleanup();
let stopping = false;
cleanUpOnSignals(cleanup, () => {
  if (!stopping) console.error('\nStopping…');
  stopping = true;
});

try {
  const { values } = parseArgs({
    options: {
      tour: { type: 'boolean' },
      pictures: { type: 'string' },
      port: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    console.log('npm run demo [-- --port N | --tour [--pictures FOLDER]]');
  } else if (values.tour === true) {
    const { playTour } = await import('./tour/tour.ts');
    process.exitCode = (await playTour(cleanup, values.pictures)) ? 0 : 1;
    await cleanup.run();
  } else {
    await playDemo(values.port === undefined ? FIRST_PORT : Number(values.port));
  }
} catch (error) {
  await cleanup.run();
  if (!stopping) {
    const expected =
      error instanceof MissingPrerequisite ||
      (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
    console.error(expected ? error.message : error);
    process.exitCode = 1;
  }
}

async function playDemo(firstPort: number): Promise<void> {
  if (!Number.isInteger(firstPort) || firstPort < 1024 || firstPort > 65_528) {
    throw new MissingPrerequisite(
      'The port must be a number from 1024 to 65528: `npm run demo -- --port 7700`.',
    );
  }
  const port = (offset: number): number => firstPort + offset;
  await requireFreePorts(
    [0, 1, 2, 3, 4, 5, 6].map(port),
    `choose seven free ones in a row by their first: \`npm run demo -- --port ${String(firstPort + 100)}\``,
  );
  const tools = await cleanup.start((signal) => installTools(console.log, signal));
  console.log('Setting the stage…');
  const stage = await startStage({
    cleanup,
    ports: {
      identityProvider: port(2),
      controlPlane: port(3),
      account: port(4),
      prod: port(5),
      dev: port(6),
    },
    absenceConfirmMs: ABSENCE_CONFIRM_MS,
  });
  const windows = await windowMaker(stage, tools);
  const [yours, leads] = await Promise.all([
    windows.open('ana', { port: port(0) }),
    windows.open('lena', { port: port(1) }),
  ]);

  const person = (
    { displayName, userName, password }: (typeof PEOPLE)[keyof typeof PEOPLE],
    what: string,
  ): string => `    ${displayName.padEnd(14)}${userName.padEnd(28)}${password.padEnd(20)}${what}`;
  console.log(`
  Your editor        ${yours.url}
  The lead's editor  ${leads.url}

  Open the first, trust the folder, click the key in the activity bar, and sign in as

${person(PEOPLE.ana, 'data scientist, team recsys')}

  Ask for “Query the recsys ranker” and run \`python score.py\` in a terminal. Other people are

${person(PEOPLE.lena, 'leads the team and approves, best in the second editor')}
${person(PEOPLE.omar, 'ops engineer, team platform')}
${person(PEOPLE.aude, 'auditor: reads the trail, holds nothing')}

  Control plane      ${stage.controlPlane.url}
  Identity provider  ${stage.identityProvider.issuer}
  Databricks         ${stage.databricks.workspaces.prod.host} (ml-prod), ${stage.databricks.workspaces.dev.host} (ml-dev)

  Ctrl-C stops everything.
`);
}
