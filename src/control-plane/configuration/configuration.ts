import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import * as z from 'zod/mini';

import { DIRECTORY_FACTS_FRESH_MINUTES } from '../../domain/principal.ts';
import { CallbackSettings, checkCallbacks } from '../callbacks/settings.ts';
import type { SessionLimits } from '../../protocol/configuration.ts';
import type { DirectoryLink } from '../directory/link.ts';
import {
  faultsOfIdentity,
  IdentitySettings,
  type IdentityTrust,
  toIdentityTrust,
} from '../authentication/settings.ts';
import { type AuditConfiguration, AuditSettings } from '../audit/settings.ts';
import { faultOfPublishAhead, IssuerSettings } from '../issuer/settings.ts';
import { faultsOfNotices, NoticeSettings, settledIn } from '../notices/settings.ts';
import type { CatalogueTerms } from '../catalogue/terms.ts';
import { EnvironmentName } from './secret.ts';
import { ReconcilerSettings } from '../reconciler/settings.ts';
import { LakebaseSettings } from '../store/lakebase.ts';
import { toWorkloadTrust, WorkloadsFile, type WorkloadTrust } from '../workloads/configuration.ts';
import { faultOfOrigin, faultOfServerAddress } from './origin.ts';
import { type FileProblem, FileProblemsError } from './problems.ts';
import { checkYaml } from './yaml.ts';

/** What `oam serve` runs with, after its file has been read and checked. */
export interface ServerConfiguration {
  readonly listen: { readonly host: string; readonly port: number };
  /**
   * The origin that clients and Databricks reach this control plane at, and the issuer of its tokens. Where it is
   * undefined, the address that the server was bound to.
   */
  readonly publicUrl: string | undefined;
  /** Holds the embedded database; made with mode 0700 if it is not there. Absolute. */
  readonly dataFolder: string;
  /** A PostgreSQL to use in place of the embedded one. */
  readonly databaseUrl: string | undefined;
  /** A Lakebase database to use in place of the embedded one. */
  readonly lakebase: LakebaseSettings | undefined;
  /** Catalogue, schema and rules. Absolute. */
  readonly policyFolder: string;
  readonly identity: IdentityTrust;
  /** OAM's own service principal; its secret is in the environment variable that is named here. */
  readonly databricks: {
    /** The account's id: the audience of the tokens that OAM signs for roles. */
    readonly accountId: string;
    readonly clientId: string;
    readonly clientSecretEnv: string;
    /**
     * Another one, a workspace admin, that makes the personal access tokens of `pat` roles and nothing else; undefined
     * where there are no such roles.
     */
    readonly pat: { readonly clientId: string; readonly clientSecretEnv: string } | undefined;
    /**
     * A third one, a workspace admin too, that only reads: the personal access tokens of teams, for their leads. Undefined
     * where leads are not shown any.
     */
    readonly reader: { readonly clientId: string; readonly clientSecretEnv: string } | undefined;
  };
  readonly issuer: Readonly<IssuerSettings>;
  /** Pipelines, service accounts and roles of clouds that may come; undefined where none may. */
  readonly workloads: WorkloadTrust | undefined;
  /** The company's directory, which pushes people and groups by SCIM; undefined where it does not. */
  readonly directory:
    | (DirectoryLink & {
        /** The environment variable that holds the token which the provisioning client presents. */
        readonly tokenEnv: string;
        /** Holds the token before, while it is being replaced. */
        readonly previousTokenEnv: string | undefined;
      })
    | undefined;
  /** Who is asked whether ticket and purpose are what they say; undefined where nobody is. */
  readonly callbacks?: CallbackSettings | undefined;
  readonly audit: AuditConfiguration;
  /** Who is told by chat and mail, and of what; undefined where nobody is. */
  readonly notices: NoticeSettings | undefined;
  readonly effects: {
    /** How often due work is looked for, in milliseconds. */
    readonly pollMs: number;
    /** The wait before absence is read a second time, in milliseconds. */
    readonly absenceConfirmMs: number;
  };
  readonly reconciler: ReconcilerSettings;
  readonly requests: {
    /** After how many minutes an unanswered request lapses. */
    readonly lapseMinutes: number;
    /** After how many hours an emergency access that nobody reviewed is an alarm. */
    readonly reviewHours: number;
  };
  /** How long people's sessions last; undefined where only the identity provider says so. */
  readonly sessions: SessionLimits | undefined;
  /** What one caller may ask of each replica. */
  readonly limits: {
    readonly requestsPerMinute: number;
    /** Streams of events that one caller has open at the same time. */
    readonly streams: number;
  };
}

const Text = z.string().check(z.minLength(1));

const Effects = z.strictObject({
  pollMs: z._default(z.int().check(z.minimum(10), z.maximum(1_000)), 1_000),
  // The longest that an exchange with Databricks may take, so that no late write can undo what was read.
  absenceConfirmMs: z._default(z.int().check(z.minimum(0), z.maximum(300_000)), 15_000),
});

const Directory = z.strictObject({
  tokenEnv: EnvironmentName,
  previousTokenEnv: z.optional(EnvironmentName),
  issuer: z.optional(Text),
  subject: z._default(z.enum(['externalId', 'userName']), 'externalId'),
  groupName: z._default(z.enum(['displayName', 'externalId']), 'displayName'),
  trustMinutes: z._default(z.int().check(z.minimum(1), z.maximum(1_440)), DIRECTORY_FACTS_FRESH_MINUTES),
});

const Limits = z.strictObject({
  requestsPerMinute: z._default(z.int().check(z.minimum(1), z.maximum(1_000_000)), 1_200),
  streams: z._default(z.int().check(z.minimum(1), z.maximum(10_000)), 32),
});

const Requests = z.strictObject({
  lapseMinutes: z._default(z.int().check(z.minimum(1), z.maximum(43_200)), 1_440),
  reviewHours: z._default(z.int().check(z.minimum(1), z.maximum(720)), 24),
});

const Sessions = z.strictObject({
  idleMinutes: z.optional(z.int().check(z.minimum(5), z.maximum(43_200))),
  absoluteHours: z.optional(z.int().check(z.minimum(1), z.maximum(720))),
});

const ServerConfigurationFile = z.strictObject({
  listen: z.strictObject({
    host: z._default(Text, '127.0.0.1'),
    port: z.int().check(z.minimum(0), z.maximum(65_535)),
  }),
  publicUrl: z.optional(Text),
  dataFolder: Text,
  databaseUrl: z.optional(Text),
  lakebase: z.optional(LakebaseSettings),
  policyFolder: Text,
  identity: IdentitySettings,
  databricks: z.strictObject({
    accountId: Text,
    clientId: Text,
    clientSecretEnv: EnvironmentName,
    pat: z.optional(z.strictObject({ clientId: Text, clientSecretEnv: EnvironmentName })),
    reader: z.optional(z.strictObject({ clientId: Text, clientSecretEnv: EnvironmentName })),
  }),
  issuer: z._default(IssuerSettings, IssuerSettings.parse({})),
  workloads: z.optional(WorkloadsFile),
  directory: z.optional(Directory),
  callbacks: z.optional(CallbackSettings),
  audit: z._default(AuditSettings, AuditSettings.parse({})),
  notices: z.optional(NoticeSettings),
  effects: z._default(Effects, Effects.parse({})),
  reconciler: z._default(ReconcilerSettings, ReconcilerSettings.parse({})),
  requests: z._default(Requests, Requests.parse({})),
  sessions: z.optional(Sessions),
  limits: z._default(Limits, Limits.parse({})),
});

type ServerConfigurationFile = z.infer<typeof ServerConfigurationFile>;

/**
 * Reads the file of `oam serve --config`. Relative folders are meant from the file's own.
 *
 * @throws {FileProblemsError} `configuration_invalid` with every problem and its line.
 */
export async function loadServerConfiguration(
  path: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ServerConfiguration> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw invalid([{ file: path, line: undefined, message: 'The file is missing or cannot be read.' }]);
  }
  return parseServerConfiguration(path, text, environment);
}

/**
 * {@link loadServerConfiguration} on a text that is at hand.
 *
 * @throws {FileProblemsError} `configuration_invalid`.
 */
export function parseServerConfiguration(
  path: string,
  text: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ServerConfiguration {
  const { value: file, problems, problemAt } = checkYaml(path, text, ServerConfigurationFile);
  if (file === undefined) throw invalid(problems);

  const faults: FileProblem[] = [];
  const complain = (at: readonly string[], message: string | undefined): void => {
    if (message !== undefined) faults.push(problemAt(at, `'${at.join('.')}' ${message}`));
  };
  if (file.publicUrl !== undefined) complain(['publicUrl'], faultOfOrigin(file.publicUrl));
  complain(['identity', 'issuer'], faultOfServerAddress(file.identity.issuer));
  for (const [place, message] of faultsOfIdentity(file.identity, file.databricks.accountId)) {
    complain(['identity', ...place], message);
  }
  complain(['databricks', 'pat', 'clientId'], faultOfTokenTier(file));
  complain(['databricks', 'reader', 'clientId'], faultOfReaderTier(file));
  complain(['issuer', 'publishAheadMinutes'], faultOfPublishAhead(file.issuer));
  const { openTelemetry, anchors } = file.audit;
  if (openTelemetry) complain(['audit', 'openTelemetry', 'url'], faultOfServerAddress(openTelemetry.url));
  if (anchors.webhook)
    complain(['audit', 'anchors', 'webhook', 'url'], faultOfServerAddress(anchors.webhook.url));
  if (file.lakebase !== undefined) {
    complain(['lakebase', 'workspace'], faultOfOrigin(file.lakebase.workspace));
    if (file.databaseUrl !== undefined) complain(['lakebase'], "and 'databaseUrl' exclude each other.");
  }
  complain(['databaseUrl'], faultOfDatabaseUrl(file.databaseUrl, environment));
  complain(['workloads', 'audience'], faultOfWorkloadAudience(file));
  if (file.callbacks) {
    checkCallbacks(file.callbacks, (at, message) => {
      complain(['callbacks', ...at], message);
    });
  }
  const workloads =
    file.workloads &&
    toWorkloadTrust(file.workloads, (at, message) => {
      complain(['workloads', ...at], message);
    });
  if (file.notices !== undefined) {
    faultsOfNotices(file.notices, (at, message) => {
      complain(['notices', ...at], message);
    });
  }
  if (faults.length > 0) throw invalid(faults);

  const folder = dirname(resolve(path));
  return {
    ...file,
    publicUrl: file.publicUrl,
    identity: toIdentityTrust(file.identity),
    databricks: { ...file.databricks, pat: file.databricks.pat, reader: file.databricks.reader },
    workloads,
    directory: file.directory && {
      ...file.directory,
      previousTokenEnv: file.directory.previousTokenEnv,
      issuer: file.directory.issuer ?? file.identity.issuer,
    },
    audit: {
      ...file.audit,
      anchors: {
        ...anchors,
        folder: anchors.folder === undefined ? undefined : resolve(folder, anchors.folder),
      },
    },
    notices: file.notices && settledIn(folder, file.notices),
    sessions: file.sessions,
    dataFolder: resolve(folder, file.dataFolder),
    lakebase: file.lakebase,
    databaseUrl: resolveVariable(file.databaseUrl, environment),
    policyFolder: resolve(folder, file.policyFolder),
  };
}

function invalid(problems: readonly FileProblem[]): FileProblemsError {
  return new FileProblemsError(
    'configuration_invalid',
    'The configuration cannot be used. Mend what is named here and start again.',
    problems,
  );
}

/** The tiers are separate, so that whoever takes one has not taken the other. */
function faultOfTokenTier({ databricks }: ServerConfigurationFile): string | undefined {
  return databricks.pat?.clientId === databricks.clientId
    ? "must be another service principal than 'databricks.clientId': this one is a workspace admin, and the other one must not be."
    : undefined;
}

function faultOfReaderTier({ databricks }: ServerConfigurationFile): string | undefined {
  const { clientId, pat, reader } = databricks;
  return reader !== undefined && [clientId, pat?.clientId].includes(reader.clientId)
    ? "must be another service principal than 'databricks.clientId' and 'databricks.pat.clientId': this one only reads."
    : undefined;
}

/** What the configuration lets a catalogue offer. */
export function catalogueTerms({ databricks }: Pick<ServerConfiguration, 'databricks'>): CatalogueTerms {
  const { clientId, pat, reader } = databricks;
  return {
    personalTokens: pat !== undefined,
    ownApplicationIds: [clientId, pat?.clientId, reader?.clientId].filter((id) => id !== undefined),
  };
}

function faultOfWorkloadAudience({
  workloads,
  identity,
  databricks,
}: ServerConfigurationFile): string | undefined {
  const taken = [...[identity.audience, identity.clientId, ...identity.otherClientIds], databricks.accountId];
  const audiences = workloads && [workloads.audience, ...workloads.issuers.map(({ audience }) => audience)];
  return audiences?.some((audience) => audience !== undefined && taken.includes(audience)) === true
    ? 'must be of its own: else a token that is meant for another door would open this one.'
    : undefined;
}

const FROM_ENVIRONMENT = 'env:';

/** `env:NAME` keeps a password out of the file. */
function resolveVariable(
  value: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (value?.startsWith(FROM_ENVIRONMENT) !== true) return value;
  return environment[value.slice(FROM_ENVIRONMENT.length)];
}

function faultOfDatabaseUrl(
  value: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (value === undefined) return undefined;
  const found = resolveVariable(value, environment);
  if (found === undefined || found === '') return `names an environment variable that is not set: ${value}`;
  return /^postgres(ql)?:\/\//.test(found) ? undefined : 'must begin with postgres:// or postgresql://.';
}
