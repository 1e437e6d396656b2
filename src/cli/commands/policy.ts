import type { CatalogueTerms } from '../../control-plane/catalogue/terms.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';

/**
 * `oam policy check`: every check that the control plane makes before it uses a policy folder. Without its configuration
 * whatever is off by default is off.
 */
export async function checkPolicy(
  folder: string,
  flags: CommonFlags & { readonly config?: string },
  invocation: Invocation,
): Promise<void> {
  // Cedar is large and needed here only.
  const { loadPolicy } = await import('../../control-plane/policy/publish.ts');
  const { hash, catalogue } = await loadPolicy(
    folder,
    invocation.env,
    flags.config === undefined ? undefined : await termsOf(flags.config, invocation),
  );
  const { workspaces, teams, roles } = catalogue;
  if (flags.json) {
    invocation.answer(
      JSON.stringify({ hash, workspaces: workspaces.length, teams: teams.length, roles: roles.length }),
    );
    return;
  }
  invocation.answer(
    `The policy is good: ${count(roles.length, 'role')}, ${count(teams.length, 'team')}, ${count(workspaces.length, 'workspace')}.`,
  );
  invocation.answer(`Its version is ${hash}`);
}

async function termsOf(config: string, { env }: Invocation): Promise<CatalogueTerms> {
  const { catalogueTerms, loadServerConfiguration } =
    await import('../../control-plane/configuration/configuration.ts');
  return catalogueTerms(await loadServerConfiguration(config, env));
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
