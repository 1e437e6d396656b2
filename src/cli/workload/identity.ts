import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import { MINUTE_MS } from '../../domain/time.ts';
import type { HttpRequest, HttpTransport } from '../../protocol/transport.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Who a job is where it runs. */
export interface WorkloadIdentity {
  /** Where the job runs, for whoever reads its log. */
  readonly where: string;
  /**
   * A JWT of the place's issuer. A fresh one at each call, where the place gives fresh ones.
   *
   * @throws {OamError} `no_workload_token`; the transport's.
   */
  subjectToken(signal: AbortSignal): Promise<string>;
}

/**
 * What a token for OAM is issued for, unless the job says otherwise. It is never the control plane that says so: one that
 * is not what it seems could ask for a token that opens another of the company's doors.
 */
export const DEFAULT_AUDIENCE = 'urn:oam:workloads';

/** Where a job says what its token is issued for. */
export const AUDIENCE = 'OAM_WORKLOAD_AUDIENCE';

/** What a job is given its token in: the token itself, a file that is kept fresh, or a program that prints a fresh one. */
export const TOKEN = 'OAM_ID_TOKEN';
export const TOKEN_FILE = 'OAM_ID_TOKEN_FILE';
export const TOKEN_COMMAND = 'OAM_ID_TOKEN_COMMAND';

/** Variables of the place that stand for the job. What the job runs needs none of them. */
export const OWN_VARIABLES: readonly string[] = [
  ...[TOKEN, TOKEN_FILE, TOKEN_COMMAND],
  ...['ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'ACTIONS_ID_TOKEN_REQUEST_URL', 'SYSTEM_ACCESSTOKEN'],
];

/**
 * The identity that the place where this runs gives a job; undefined where it gives none, as on a person's machine. What
 * the job says itself comes first.
 */
export function workloadIdentity(env: Environment, transport: HttpTransport): WorkloadIdentity | undefined {
  const given = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const command = given(TOKEN_COMMAND);
  if (command !== undefined) return { where: TOKEN_COMMAND, subjectToken: () => printed(command) };
  const file = given(TOKEN_FILE);
  if (file !== undefined) {
    return { where: file, subjectToken: async () => token((await readFile(file, 'utf8')).trim(), file) };
  }
  const fixed = given(TOKEN);
  if (fixed !== undefined) {
    const where = given('GITLAB_CI') === undefined ? TOKEN : 'GitLab CI';
    return { where, subjectToken: () => Promise.resolve(token(fixed, where)) };
  }
  return gitHub(given, transport) ?? azureDevOps(given, transport);
}

type Given = (name: string) => string | undefined;

/** Source: docs.github.com, "OpenID Connect reference", §Requesting the JWT. */
function gitHub(given: Given, transport: HttpTransport): WorkloadIdentity | undefined {
  const address = given('ACTIONS_ID_TOKEN_REQUEST_URL');
  const bearer = given('ACTIONS_ID_TOKEN_REQUEST_TOKEN');
  if (address === undefined || bearer === undefined) return undefined;
  const where = 'GitHub Actions';
  const url = new URL(address);
  url.searchParams.set('audience', given(AUDIENCE) ?? DEFAULT_AUDIENCE);
  return {
    where,
    subjectToken: async (signal) => {
      const headers = { authorization: `Bearer ${bearer}`, accept: 'application/json' };
      const answer = await asked(transport, { method: 'GET', url: url.href, headers, signal }, where);
      return token(GitHubAnswer.safeParse(answer).data?.value, where);
    },
  };
}

const GitHubAnswer = z.object({ value: z.string() });

/**
 * Azure DevOps issues for one audience only, `api://AzureADTokenExchange`. `System.AccessToken` has to be passed to the
 * step by name. Source: Databricks' Python SDK, `oidc_token_supplier.py`.
 */
function azureDevOps(given: Given, transport: HttpTransport): WorkloadIdentity | undefined {
  const bearer = given('SYSTEM_ACCESSTOKEN');
  const [collection, project, hub, plan, job] = [
    ...['SYSTEM_TEAMFOUNDATIONCOLLECTIONURI', 'SYSTEM_TEAMPROJECTID', 'SYSTEM_HOSTTYPE'],
    ...['SYSTEM_PLANID', 'SYSTEM_JOBID'],
  ].map(given);
  const isWhole = [collection, project, hub, plan, job].every((part) => part !== undefined);
  const address =
    given('SYSTEM_OIDCREQUESTURI') ??
    (isWhole
      ? `${collection ?? ''}${project ?? ''}/_apis/distributedtask/hubs/${hub ?? ''}/plans/${plan ?? ''}/jobs/${job ?? ''}/oidctoken`
      : undefined);
  if (bearer === undefined || address === undefined) return undefined;
  const where = 'Azure DevOps';
  const url = new URL(address);
  url.searchParams.set('api-version', '7.2-preview.1');
  return {
    where,
    subjectToken: async (signal) => {
      const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
      const answer = await asked(
        transport,
        { method: 'POST', url: url.href, headers, body: '', signal },
        where,
      );
      return token(AzureAnswer.safeParse(answer).data?.oidcToken, where);
    },
  };
}

const AzureAnswer = z.object({ oidcToken: z.string() });

async function asked(transport: HttpTransport, request: HttpRequest, where: string): Promise<unknown> {
  const { status, text } = await transport(request);
  if (status !== 200) throw noToken(where, `HTTP ${String(status)}`);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw noToken(where, 'the answer is not JSON');
  }
}

/** Without a shell: words are split at blanks, and nothing in them means anything else. */
async function printed(command: string): Promise<string> {
  const [program = '', ...words] = command.trim().split(/\s+/);
  try {
    const { stdout } = await promisify(execFile)(program, words, { timeout: MINUTE_MS });
    return token(stdout.trim(), TOKEN_COMMAND);
  } catch (error) {
    if (error instanceof OamError) throw error;
    // What it printed is not shown: it may be a token.
    throw noToken(TOKEN_COMMAND, `${program} failed`);
  }
}

/** Three parts, as every signed token has. Who it is, and whether it is good, the control plane sees. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

function token(text: string | undefined, where: string): string {
  if (text !== undefined && JWT.test(text)) return text;
  throw noToken(where, 'it gave none');
}

function noToken(where: string, detail: string): OamError {
  return new OamError(
    'no_workload_token',
    'The place where this job runs gave it no token. Let the job have one, as docs/workloads.md says.',
    { detail: `${where}: ${detail}` },
  );
}
