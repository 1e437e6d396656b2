import { scimFailure } from '../http/failures.ts';
import type { Call } from '../http/router.ts';
import type { Reply } from '../http/reply.ts';
import type { Resource } from './resources.ts';

const MAX_COUNT = 100;

/** A list by filter, `startIndex` (from 1), `count`, `attributes` and `excludedAttributes`. */
export function scimList(resources: readonly Resource[], call: Call): Reply {
  const matching = resources.filter(filterOf(call.query.get('filter')));
  const startIndex = Math.max(1, Number(call.query.get('startIndex') ?? 1) || 1);
  const asked = call.query.get('count');
  const count = asked === null ? MAX_COUNT : Math.min(MAX_COUNT, Math.max(0, Number(asked) || 0));
  const page = matching.slice(startIndex - 1, startIndex - 1 + count);
  return {
    status: 200,
    contentType: 'application/scim+json',
    body: {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
      totalResults: matching.length,
      startIndex,
      itemsPerPage: page.length,
      Resources: page.map((resource) => projected(resource, call)),
    },
  };
}

/** One resource, with only the attributes that were asked for. */
export function scimOne(resource: Resource, call: Call): Reply {
  return { status: 200, contentType: 'application/scim+json', body: projected(resource, call) };
}

function projected(resource: Resource, call: Call): Resource {
  const wanted = namesIn(call.query.get('attributes'));
  const unwanted = namesIn(call.query.get('excludedAttributes'));
  return Object.fromEntries(
    Object.entries(resource).filter(
      ([name]) =>
        name === 'id' ||
        name === 'schemas' ||
        ((wanted.size === 0 || wanted.has(name.toLowerCase())) && !unwanted.has(name.toLowerCase())),
    ),
  );
}

function namesIn(list: string | null): Set<string> {
  const names = (list ?? '').split(',').map((name) => name.trim().split('.')[0]?.toLowerCase() ?? '');
  return new Set(names.filter((name) => name !== ''));
}

const COMPARISON = /^\s*([A-Za-z]+)\s+(eq|ne|co|sw)\s+(?:"((?:[^"\\]|\\.)*)"|(true|false)|(\S+))\s*$/i;

/** One comparison, which is what clients send; anything longer is refused, never ignored. */
function filterOf(filter: string | null): (resource: Resource) => boolean {
  if (filter === null || filter.trim() === '') return () => true;
  const match = COMPARISON.exec(filter);
  const [, attribute, operator, quoted, flag, bare] = match ?? [];
  if (attribute === undefined || operator === undefined) {
    throw scimFailure(400, `The filter is not supported: ${filter}`, 'invalidFilter');
  }
  const wanted = (quoted?.replace(/\\(.)/g, '$1') ?? flag ?? bare ?? '').toLowerCase();
  return (resource) => {
    const found = Object.entries(resource).find(
      ([name]) => name.toLowerCase() === attribute.toLowerCase(),
    )?.[1];
    const value = typeof found === 'string' || typeof found === 'boolean' ? String(found).toLowerCase() : '';
    switch (operator.toLowerCase()) {
      case 'eq':
        return value === wanted;
      case 'ne':
        return value !== wanted;
      case 'co':
        return value.includes(wanted);
      default:
        return value.startsWith(wanted);
    }
  };
}
