import type { CodeContext } from '../../protocol/schemas.ts';
import type { Localise } from '../localise.ts';

/** What is asked of a repository of VS Code's Git extension. */
export interface CheckedOut {
  readonly head:
    | {
        readonly name?: string | undefined;
        readonly commit?: string | undefined;
        readonly upstream?: { readonly remote: string; readonly name: string } | undefined;
      }
    | undefined;
  readonly remotes: readonly { readonly name: string; readonly fetchUrl?: string | undefined }[];
}

/** As much of each as a request takes. */
const MAX_CHARACTERS = 500;

const COMMIT = /^[0-9a-f]{7,64}$/;

/**
 * Where the code of a folder stands: the branch as others know it, the commit, and the address of the repository in the
 * web. Nothing that lets somebody in is in it, and nothing of this machine. Undefined where there is nothing to tell.
 */
export function codeContextOf({ head, remotes }: CheckedOut): CodeContext | undefined {
  const { upstream } = head ?? {};
  const remote =
    remotes.find(({ name }) => name === upstream?.remote) ??
    remotes.find(({ name }) => name === 'origin') ??
    (remotes.length === 1 ? remotes[0] : undefined);
  const repository = remote?.fetchUrl === undefined ? undefined : webAddress(remote.fetchUrl);
  const branch = upstream?.name ?? head?.name;
  const commit = head?.commit;
  const context: CodeContext = {
    ...(repository !== undefined && { repository }),
    ...(branch !== undefined && branch !== '' && branch.length <= MAX_CHARACTERS && { branch }),
    ...(commit !== undefined && COMMIT.test(commit) && { commit }),
  };
  return Object.keys(context).length === 0 ? undefined : context;
}

/**
 * The address in the web of a Git remote: `https://…`, `ssh://git@host/path` and `git@host:path`, without user, password,
 * query and fragment, each of which may be a secret. Undefined for a path of this machine and whatever is none of these.
 */
export function webAddress(remote: string): string | undefined {
  const scp = /^[\w.-]+@([\w.-]+):(?!\/\/)(.+)$/.exec(remote);
  const address = scp === null ? remote : `ssh://${scp[1] ?? ''}/${(scp[2] ?? '').replace(/^\/+/, '')}`;
  if (!URL.canParse(address)) return undefined;
  const { protocol, hostname, port, pathname } = new URL(address);
  if (hostname === '' || !['https:', 'http:', 'ssh:'].includes(protocol)) return undefined;
  const path = pathname.replace(/\/+$/, '').replace(/\.git$/, '');
  // A port of ssh is none of the web's.
  const at = protocol === 'ssh:' || port === '' ? '' : `:${port}`;
  const web = `${protocol === 'http:' ? 'http' : 'https'}://${hostname.toLowerCase()}${at}${path}`;
  return path === '' || web.length > MAX_CHARACTERS ? undefined : web;
}

/** The same in a line, for the one whose code it is. */
export function codeContextWords(l10n: Localise, { repository, branch, commit }: CodeContext): string {
  return [
    ...(branch === undefined ? [] : [l10n.t('Branch: {0}', branch)]),
    ...(commit === undefined ? [] : [l10n.t('Commit: {0}', commit.slice(0, 10))]),
    ...(repository === undefined ? [] : [repository]),
  ].join(', ');
}
