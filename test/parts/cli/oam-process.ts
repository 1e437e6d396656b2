import { spawn } from 'node:child_process';

import { signInAtDatabricks } from '../../../src/sandbox/databricks/index.ts';
import { approveDevice, type Person } from '../../../src/sandbox/identity-provider/index.ts';

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Who finishes the sign-in in a browser. */
  readonly person?: Person;
  /** Who signs in on Databricks' own page, where one is printed; `person` unless given. */
  readonly atDatabricks?: Pick<Person, 'userName' | 'password'>;
  readonly onStdout?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
  readonly onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

/** What runs now: each is ended by its function, which tells what it had said. */
const programs = new Set<() => string>();

/** For `afterEach`: ends what a failed test left running, and prints what it had said, where the reason may lie. */
export function endPrograms(): void {
  for (const end of programs) console.log(end());
  programs.clear();
}

/** Runs `oam` as a person would, in a process of its own, without a keychain and without a home that could keep anything. */
export function oam(args: readonly string[], o: RunOptions = {}): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['src/cli/main.ts', ...args], {
      env: { PATH: process.env['PATH'], HOME: '/dev/null', ...o.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    const end = (): string => {
      child.kill('SIGKILL');
      return `Still ran: oam ${args.join(' ')}\n${stdout}${stderr}`;
    };
    programs.add(end);
    // A suite that gives up leaves nothing behind.
    process.once('exit', end);
    let approving = false;
    let signingIn = false;
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      o.onStdout?.(stdout, (signal) => child.kill(signal));
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      o.onStderr?.(stderr, (signal) => child.kill(signal));
      const [, verificationUri, userCode] =
        /open ([^\s?]+)\S* in a browser and confirm the code (\S+)/.exec(stderr) ?? [];
      if (o.person && verificationUri !== undefined && userCode !== undefined && !approving) {
        approving = true;
        approveDevice({ verificationUri, userCode, person: o.person }).catch(reject);
      }
      const [, page] = /sign in to Databricks, open (\S+) in a browser/.exec(stderr) ?? [];
      const signer = o.atDatabricks ?? o.person;
      if (signer && page !== undefined && !signingIn) {
        signingIn = true;
        signInAtDatabricks(page, signer).catch(reject);
      }
    });
    child.on('error', reject);
    child.on('close', (code) => {
      programs.delete(end);
      process.removeListener('exit', end);
      resolve({ code: code ?? -1, stdout, stderr });
    });
  });
}

/** A program that asks the pointer for a token, as an SDK does, and then Databricks who it is. */
export const WHO_AM_I = `
  const { DATABRICKS_HOST: host, DATABRICKS_METADATA_SERVICE_URL: url, ...rest } = process.env;
  const { access_token } = await (await fetch(url, { headers: {
    'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': host } })).json();
  const me = await (await fetch(host + '/api/2.0/preview/scim/v2/Me', {
    headers: { authorization: 'Bearer ' + access_token } })).json();
  console.log(JSON.stringify({ me: me.userName, env: Object.keys(rest).filter((name) => /DATABRICKS/.test(name)) }));
  process.exit(7);
`;

/**
 * A program that asks the pointer again and again, says what came of it where it is another than before, and ends with the first
 * refusal after it had a token.
 */
export const ASKING = `
  const { DATABRICKS_HOST: host, DATABRICKS_METADATA_SERVICE_URL: url } = process.env;
  const headers = { 'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': host, connection: 'close' };
  let last;
  let hadToken = false;
  for (;;) {
    const { error } = await (await fetch(url, { headers })).json();
    const said = error === undefined ? 'got a token' : 'refused ' + error;
    if (said !== last) console.log(said);
    last = said;
    hadToken ||= error === undefined;
    if (hadToken && error !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
`;
