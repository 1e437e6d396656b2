/** What the commands on policy folders share. */
export interface FolderFlags {
  readonly json?: true;
  /** The control plane's configuration. */
  readonly config?: string;
}
