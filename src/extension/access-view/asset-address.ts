import type { Asset } from './entitlements.ts';

/** The page of Databricks that shows an asset; undefined for what has none. */
export function assetAddress(host: string, { kind, id, name }: Asset): string | undefined {
  const at = (...parts: readonly string[]): string =>
    `${new URL(host).origin}/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
  switch (kind) {
    case 'models':
      return at('explore', 'data', 'models', ...name.split('.'));
    case 'features':
      return at('explore', 'data', 'features', ...name.split('.'));
    case 'endpoints':
      return at('ml', 'endpoints', name);
    case 'experiments':
      return at('ml', 'experiments', id);
    case 'clusters':
      return at('compute', 'clusters', id);
    case 'jobs':
      return at('jobs', id);
    case 'groups':
      return undefined;
  }
}
