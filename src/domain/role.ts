import type { AssetRight } from './asset-right.ts';
import type { Attributes, Duty } from './principal.ts';

/** How much harm a role can do. */
export const SENSITIVITIES = ['low', 'medium', 'high'] as const;

/** One of {@link SENSITIVITIES}. */
export type Sensitivity = (typeof SENSITIVITIES)[number];

/**
 * How a role's credential is made. `member` adds the person to the role's group, and their own token carries the right.
 * `federated` mints a token for the role's service principal. `assume` adds the person to the group too, and mints
 * tokens of theirs that have the group's rights _in the place of_ their own (Databricks' role assumption, a preview).
 * `pat` makes personal access tokens of the role's service principal, for tools that take nothing else.
 */
export const CREDENTIAL_KINDS = ['member', 'federated', 'assume', 'pat'] as const;

/** One of {@link CREDENTIAL_KINDS}. */
export type CredentialKind = (typeof CREDENTIAL_KINDS)[number];

/** True for roles whose tokens are handed out on a path of their own, and never on the person's. */
export function hasOwnPath(kind: CredentialKind): boolean {
  return kind !== 'member';
}

/** True for roles that act as a service principal, which is then the member of the role's group. */
export function actsAsServicePrincipal(kind: CredentialKind): boolean {
  return kind === 'federated' || kind === 'pat';
}

/**
 * True where a token may carry the right until it expires, though the membership is gone: it names the group itself,
 * and Databricks does not say whether it looks at the membership again.
 */
export function tokensKeepRight(kind: CredentialKind): boolean {
  return kind === 'assume';
}

/** The longest life of a token that OAM signs for a role, in minutes, whatever the role says. */
export const TOKEN_MAX_MINUTES = 60;

/** The Databricks group that carries a role's rights. It exists beforehand and holds nobody but OAM's grants. */
export interface JitGroup {
  /** Databricks' numeric id, as the string that SCIM uses. */
  readonly id: string;
  readonly name: string;
}

/** The service principal that a `federated` or `pat` role acts as. */
export interface RoleServicePrincipal {
  /** Databricks' numeric id, as the string that SCIM uses. */
  readonly id: string;
  /** The OAuth client id (a UUID). */
  readonly applicationId: string;
}

/** Who may approve in one stage, and how many of them must. Whoever may approve meets each demand that is made. */
export interface ApprovalStage {
  /** Identity-provider groups, of which the approver is in one; empty where the stage does not go by groups. */
  readonly approverGroups: readonly string[];
  readonly approverDuty?: Duty | undefined;
  /** Attributes by their configured names: of each, the approver has one of the values. */
  readonly approverAttributes?: Attributes | undefined;
  /** The role's own team, of one of whose groups the approver is. */
  readonly ofTeam?: { readonly name: string; readonly groups: readonly string[] } | undefined;
  readonly quorum: number;
}

/** An effective-permission read that must pass before a grant is called active. */
export interface Probe {
  /** Unity Catalog securable type; a registered model's is `function`. */
  readonly securableType: string;
  readonly fullName: string;
  readonly privilege: string;
}

/** A row of the catalogue. */
export interface Role {
  readonly id: string;
  readonly title: string;
  /** What the role gives, in words that a data scientist reads. */
  readonly gives: string;
  /** Name of a workspace of the catalogue. */
  readonly workspace: string;
  /** Name of the team that owns the role. */
  readonly team: string;
  readonly sensitivity: Sensitivity;
  readonly credential: CredentialKind;
  readonly group: JitGroup;
  /** Present exactly when {@link actsAsServicePrincipal}. */
  readonly servicePrincipal: RoleServicePrincipal | undefined;
  /** The longest window that can be asked for, and the most that can ever lie ahead, in minutes. */
  readonly maxMinutes: number;
  /** How long the role can be held without a gap, extensions included, in minutes. */
  readonly maxTotalMinutes: number;
  /** The window that is offered first, in minutes. */
  readonly defaultMinutes: number;
  /** The life of one federated token, in minutes (1 to 60). */
  readonly tokenMinutes: number;
  /** Who must approve, in order, where policy does not approve by itself. */
  readonly approval: readonly ApprovalStage[];
  readonly probe: Probe | undefined;
  /** What the role's group carries, as far as the catalogue tells it: by this the smallest role for a need is found. */
  readonly rights?: readonly AssetRight[] | undefined;
}

/**
 * Where a person's own token for a workspace comes from: from an exchange of the identity provider's ID token, which
 * needs a federation policy of the account, or from the person's own sign-in at Databricks.
 */
export const TOKEN_SOURCES = ['exchange', 'databricks-sign-in'] as const;

/** One of {@link TOKEN_SOURCES}. */
export type TokenSourceKind = (typeof TOKEN_SOURCES)[number];

/** A Databricks workspace of the catalogue. */
export interface Workspace {
  readonly name: string;
  /** `https://…` origin without a trailing slash. */
  readonly host: string;
  readonly tokenSource: TokenSourceKind;
  /** The public client that people sign in with there, where it is their own sign-in; Databricks' own unless given. */
  readonly signInClient?: string | undefined;
}

/** A team of the catalogue. One team sees nothing of another. */
export interface Team {
  readonly name: string;
  /** The identity-provider group whose members are the team. */
  readonly group: string;
  /** The identity-provider group whose members lead it. */
  readonly leadGroup: string;
}
