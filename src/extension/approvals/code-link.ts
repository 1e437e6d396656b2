import type { CodeContext } from '../../protocol/schemas.ts';

/** Where the changes that a request speaks of can be looked at, and on which host that is. */
export interface CodeLink {
  readonly url: string;
  readonly host: string;
}

/** How each kind of host, public or a company's own, names a commit and the changes of a branch. */
const FORMS: readonly {
  readonly isOf: (host: string) => boolean;
  readonly commit: (id: string) => string;
  readonly branch: (name: string) => string;
}[] = [
  {
    isOf: (host) => /^gitlab\.(?!com\.)/.test(host),
    commit: (id) => `/-/commit/${id}`,
    branch: (name) => `/-/compare/HEAD...${name}`,
  },
  {
    isOf: (host) => host === 'bitbucket.org',
    commit: (id) => `/commits/${id}`,
    branch: (name) => `/branch/${name}#diff`,
  },
  {
    isOf: (host) => /^github\.(?!com\.)/.test(host),
    commit: (id) => `/commit/${id}`,
    branch: (name) => `/compare/HEAD...${name}`,
  },
];

const COMMIT = /^[0-9a-f]{7,64}$/i;

const PART = /^[\w.~-]+$/;

/**
 * The link to the changes that a request names. It is the requester's word: nothing but an address of the web without
 * sign-in data in it, on a host that is shown beside it. Undefined where the code is nowhere that is known.
 */
export function codeLink({ repository, branch, commit }: CodeContext): CodeLink | undefined {
  if (repository === undefined) return undefined;
  const place = placeOf(repository);
  const form = place && FORMS.find(({ isOf }) => isOf(place.host));
  if (place === undefined || form === undefined) return undefined;
  const what =
    branch !== undefined && branch !== ''
      ? form.branch(branch.split('/').map(encodeURIComponent).join('/'))
      : commit !== undefined && COMMIT.test(commit)
        ? form.commit(commit)
        : '';
  return { url: `https://${place.host}/${place.path}${what}`, host: place.host };
}

/** `https://host/path`, `ssh://git@host/path` and `git@host:path`, all with or without `.git`. */
function placeOf(repository: string): { readonly host: string; readonly path: string } | undefined {
  const scp = /^[\w.-]+@([\w.-]+):(?!\/\/)(.+)$/.exec(repository);
  const [host, path] = scp === null ? partsOf(repository) : [scp[1]?.toLowerCase(), scp[2]];
  const parts = path
    ?.replace(/\.git$/, '')
    .split('/')
    .filter((part) => part !== '');
  if (host === undefined || parts === undefined || parts.length < 2) return undefined;
  if (!parts.every((part) => PART.test(part) && !/^\.+$/.test(part))) return undefined;
  return { host, path: parts.join('/') };
}

function partsOf(address: string): [string, string] | [undefined, undefined] {
  if (!URL.canParse(address)) return [undefined, undefined];
  const { protocol, hostname, port, pathname } = new URL(address);
  // A port of ssh is none of the web's; one of the web is kept out, as no public host has one.
  const isKnown = protocol === 'ssh:' || (protocol === 'https:' && port === '');
  return isKnown ? [hostname, pathname] : [undefined, undefined];
}
