import type { FastifyInstance } from 'fastify';

import { OamError } from '../../domain/errors.ts';

/** The refusal of a method at an address that has others. */
export class MethodNotAllowed extends OamError {
  /** For `Allow`. */
  readonly allow: string;

  constructor(allow: string) {
    super('method_not_allowed', 'This address takes other methods.', { detail: allow });
    this.name = 'MethodNotAllowed';
    this.allow = allow;
  }
}

/** Learns the routes that are added from now on, and tells which methods an address has. */
export function methodsByAddress(app: FastifyInstance): (address: string) => readonly string[] {
  const routes: { url: string; methods: readonly string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ url, methods: [method].flat() });
  });
  return (address) => {
    const [path = ''] = address.split('?');
    const methods = routes.filter(({ url }) => matches(url, path)).flatMap((route) => route.methods);
    return [...new Set(methods)].sort();
  };
}

/** True if a path is one of a route's: `:id` stands for any part. */
function matches(url: string, path: string): boolean {
  const [pattern, parts] = [url.split('/'), path.split('/')];
  return (
    pattern.length === parts.length &&
    pattern.every((part, index) => (part.startsWith(':') ? parts[index] !== '' : part === parts[index]))
  );
}
