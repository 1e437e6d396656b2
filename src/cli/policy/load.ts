import type { CatalogueTerms } from '../../control-plane/catalogue/terms.ts';
import type { CompiledPolicy } from '../../control-plane/policy/version.ts';
import type { Invocation } from '../invocation.ts';
import type { FolderFlags } from './folder-flags.ts';

/**
 * A policy folder, after every check that the control plane makes before it uses one. Without its configuration whatever
 * is off by default is off.
 */
export async function loadFolder(
  folder: string,
  { config }: FolderFlags,
  invocation: Pick<Invocation, 'env'>,
): Promise<CompiledPolicy> {
  // Cedar is large and needed here only.
  const { loadPolicy } = await import('../../control-plane/policy/publish.ts');
  return loadPolicy(
    folder,
    invocation.env,
    config === undefined ? undefined : await termsOf(config, invocation),
  );
}

async function termsOf(config: string, { env }: Pick<Invocation, 'env'>): Promise<CatalogueTerms> {
  const { catalogueTerms, loadServerConfiguration } =
    await import('../../control-plane/configuration/configuration.ts');
  return catalogueTerms(await loadServerConfiguration(config, env));
}
