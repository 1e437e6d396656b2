/** What `oam serve` runs with, after its file has been read and checked. */
export interface ServerConfiguration {
  readonly listen: { readonly host: string; readonly port: number };
  /** The origin that clients and Databricks reach this control plane at; the issuer of its tokens. */
  readonly publicUrl: string;
  /** Holds the embedded database; made with mode 0700 if it is not there. */
  readonly dataFolder: string;
  /** A PostgreSQL to use in place of the embedded one. */
  readonly databaseUrl: string | undefined;
  /** Catalogue, schema and rules. */
  readonly policyFolder: string;
  readonly identity: {
    readonly issuer: string;
    /** The public client of the editor and the command line. */
    readonly clientId: string;
    /** The audience of access tokens for this control plane. */
    readonly audience: string;
    readonly scopes: readonly string[];
    /** The names of the claims that say who somebody is. */
    readonly claims: {
      readonly userName: string;
      readonly displayName: string;
      readonly groups: string;
      readonly duty: string;
    };
  };
  /** OAM's own service principal; its secret is in the environment variable that is named here. */
  readonly databricks: { readonly clientId: string; readonly clientSecretEnv: string };
  /** The environment variable that holds the key which seals the issuer's private key. */
  readonly issuer: { readonly keyEnv: string };
  readonly effects: {
    /** How often due work is looked for. */
    readonly pollMs: number;
    /** The wait before absence is read a second time. */
    readonly absenceConfirmMs: number;
  };
  readonly requests: {
    /** After how many minutes an unanswered request lapses. */
    readonly lapseMinutes: number;
  };
}
