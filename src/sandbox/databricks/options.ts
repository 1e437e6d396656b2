import type { Clock, EpochMs } from '../../domain/time.ts';

/** Somebody of the identity provider who is a user of the account, too. */
export interface SandboxPerson {
  /** The identity provider's subject; the user's `externalId`. */
  readonly sub: string;
  /** E-mail address; the user's `userName`. */
  readonly userName: string;
  readonly displayName: string;
  /** Names of groups; made if the seed has none of that name. */
  readonly groups: readonly string[];
  /** What the stand-in's own sign-in page (U2M) asks for; without one nobody can sign in there. */
  readonly password?: string;
}

/** An application of the company's own that people can sign in with, beside Databricks' own one. */
export interface SandboxSignInClient {
  readonly clientId: string;
  /** Exactly these. */
  readonly redirectUris: readonly string[];
}

/** A group that OAM's own service principal manages. */
export interface SandboxJitGroup {
  readonly id: string;
  readonly name: string;
  readonly memberIds: readonly string[];
}

/** A Lakebase database that the stand-in makes passwords for. */
export interface SandboxLakebase {
  readonly endpoint: string;
  readonly instance: string;
  /** How long a password is said to be good for, in the place of what was asked for. */
  readonly passwordMs?: number;
  /** Makes the database take a new password of a service principal's. */
  accept(applicationId: string, password: string): Promise<void>;
}

/** The areas that Databricks limits each for itself. */
export type RateClass =
  | 'account-scim-write'
  | 'account-scim-read'
  | 'workspace-scim-write'
  | 'permissions-read'
  | 'permissions-write'
  | 'mlflow-search';

/** So many calls in any stretch of time of this length. */
export interface RateLimit {
  readonly calls: number;
  readonly perMs: number;
}

/** What {@link startSandboxDatabricks} takes. */
export interface SandboxDatabricksOptions {
  /** What the account-wide federation policy accepts: its issuer, and the audience of its ID tokens. */
  readonly identityProvider: { readonly issuer: string; readonly audience: string };
  /** The issuer of the deployer's own federation policy. Settable later; without one there is no such policy. */
  readonly controlPlaneIssuer?: string;
  /** Zero or absent: any free port. */
  readonly ports?: { readonly account?: number; readonly prod?: number; readonly dev?: number };
  /** The longest life of an issued OAuth token, in seconds; 3600 unless given. */
  readonly tokenSeconds?: number;
  readonly people: readonly SandboxPerson[];
  /** More groups made for roles, beside those of the seed, with members who need be nobody that the account knows. */
  readonly jitGroups?: readonly SandboxJitGroup[];
  readonly lakebase?: SandboxLakebase;
  readonly signInClients?: readonly SandboxSignInClient[];
  /** The machine's unless given. */
  readonly clock?: Clock;
}

/** A failure to play. */
export interface InjectedFailure {
  /** The status to answer with; 0 cuts the connection without an answer. */
  readonly status: number;
  /** How many calls it meets. */
  readonly count: number;
  /** Only calls whose path matches. */
  readonly path?: RegExp;
  /** Only calls of this method. */
  readonly method?: string;
  /** `before` (unless given): nothing happened. `after`: the call took effect and only its answer is lost. */
  readonly when?: 'before' | 'after';
  /** Seconds in `Retry-After`, sent with 429 and 503; 1 unless given. */
  readonly retryAfterSeconds?: number;
}

/** What can be changed while the stand-in runs; what is left out stays as it is. */
export interface Tuning {
  /** How long after a membership write reads and rights show it, in milliseconds. Applies to later writes. */
  readonly membershipLagMs?: number;
  /** The most calls a minute that one principal may make before 429; `null` lifts it. */
  readonly rateLimitPerMinute?: number | null;
  /**
   * How long the stand-in goes by its copy of an issuer's keys, even where a token names a key that it does not hold,
   * in milliseconds. Zero at the start: such a token makes it look at once.
   */
  readonly keepIssuerKeysMs?: number;
  /** Limits of areas in the place of Databricks' own; `null` lifts one. */
  readonly limits?: Readonly<Partial<Record<RateClass, RateLimit | null>>>;
  /** How long lists of tokens lag behind what was made and deleted, in milliseconds. Applies to later writes. */
  readonly tokenLagMs?: number;
  /** Azure makes no tokens on behalf of service principals. */
  readonly cloud?: 'aws' | 'azure';
  /** Whether users are shown with the identity provider's id for them; they are at the start. */
  readonly showExternalIds?: boolean;
  /** How long every answer takes, in milliseconds. */
  readonly answerDelayMs?: number;
  readonly failNext?: InjectedFailure;
}

/** A call as the stand-in saw it. It holds no token, no body and no query. */
export interface RecordedRequest {
  readonly atMs: EpochMs;
  readonly host: 'account' | 'prod' | 'dev';
  readonly method: string;
  readonly path: string;
  /** What it was answered with; 0 when the connection was cut. */
  readonly status: number;
  /**
   * User name, application id of a service principal, or name of an assumed role's group; undefined for calls without
   * a good token.
   */
  readonly principal: string | undefined;
  /** Who works as the assumed role. */
  readonly runBy: string | undefined;
  readonly userAgent: string;
}

/** A service principal's secret. */
export interface SandboxCredentials {
  readonly applicationId: string;
  readonly secret: string;
}

/** How a person made a personal access token, where not just now and for an hour. */
export interface MadeToken {
  readonly comment?: string;
  /** Undefined for one without an end. */
  readonly lifetimeSeconds?: number | undefined;
  /** How long ago. */
  readonly ageSeconds?: number;
}

/** A personal access token, without its value. */
export interface SandboxPersonalToken {
  readonly id: string;
  readonly comment: string;
  /** Databricks' id of whom it acts as. */
  readonly ownerId: string;
  readonly createdById: string;
  /** Infinity for one without an end. */
  readonly expiresAtMs: EpochMs;
}

/** A stand-in that runs. */
export interface RunningSandboxDatabricks {
  readonly account: { readonly host: string; readonly accountId: string };
  readonly workspaces: {
    readonly prod: { readonly name: 'ml-prod'; readonly host: string; readonly id: string };
    readonly dev: { readonly name: 'ml-dev'; readonly host: string; readonly id: string };
  };
  /** OAM's own service principal; its secret differs from start to start. */
  readonly coreCredentials: SandboxCredentials;
  /** The administrator, for whatever happens behind OAM's back. */
  readonly adminCredentials: SandboxCredentials;
  /** OAM's own service principal for personal access tokens, an administrator of the workspaces. */
  readonly tokenCredentials: SandboxCredentials;
  /** OAM's own service principal for reading, an administrator of the workspaces too. */
  readonly readerCredentials: SandboxCredentials;
  tune(tuning: Tuning): void;
  /** Registers the control plane as the issuer of the deployer's federation policy, in the place of any other. */
  setControlPlaneIssuer(issuer: string): void;
  /** A group's direct members as written: ahead of what lagging reads show. */
  members(groupId: string): readonly string[];
  /** Removes a member, as an administrator does behind OAM's back. */
  removeMember(groupId: string, memberId: string): void;
  /** Ends somebody's own sign-ins (U2M): their refresh tokens are good no more. */
  endSignIns(userName: string): void;
  /** Deletes a group with its memberships, as an administrator does behind OAM's back. */
  deleteGroup(groupId: string): void;
  /** A personal access token such as a person makes in the web page, for tests of clients. */
  personalAccessToken(workspace: 'prod' | 'dev', userName: string, made?: MadeToken): string;
  /** The personal access tokens of a workspace that are good now: ahead of what lagging lists show. */
  personalAccessTokens(workspace: 'prod' | 'dev'): readonly SandboxPersonalToken[];
  /** Deletes one, as an administrator does behind OAM's back. */
  deletePersonalAccessToken(id: string): void;
  requests(): readonly RecordedRequest[];
  close(): Promise<void>;
}
