import { isAzureHost } from '../../databricks/index.ts';
import { TOKEN_MAX_MINUTES } from '../../domain/role.ts';
import type { FileProblem, ProblemAt } from '../configuration/problems.ts';
import type { CatalogueFile } from './schema.ts';

/** What the configuration of a control plane lets a catalogue offer. */
export interface CatalogueTerms {
  /** True where OAM has a service principal that makes personal access tokens. */
  readonly personalTokens: boolean;
  /** The application ids of OAM's own service principals, which no role may act as. */
  readonly ownApplicationIds: readonly string[];
}

/** The terms where nothing is known of a configuration: what is off by default is off. */
export const DEFAULT_TERMS: CatalogueTerms = { personalTokens: false, ownApplicationIds: [] };

/** Roles that the configuration does not let the catalogue offer. */
export function termProblems(
  catalogue: CatalogueFile,
  problemAt: ProblemAt,
  terms: CatalogueTerms,
): FileProblem[] {
  return [
    ...personalTokenProblems(catalogue, problemAt, terms),
    ...ownPrincipalProblems(catalogue, problemAt, terms),
  ];
}

/** A token that is a secret for hours, and works wherever it is taken to: only where somebody decided that it may be. */
function personalTokenProblems(
  { roles, workspaces }: CatalogueFile,
  problemAt: ProblemAt,
  terms: CatalogueTerms,
): FileProblem[] {
  return roles.flatMap((role, index) => {
    if (role.credential !== 'pat') return [];
    const problems: FileProblem[] = [];
    const complain = (message: string): void => {
      problems.push(problemAt(['roles', index, 'credential'], `Role '${role.id}': ${message}`));
    };
    if (!terms.personalTokens) {
      complain(
        "'pat' is off unless the configuration names a service principal for personal access tokens, 'databricks.pat'. Use 'federated', or name the configuration with: oam policy check --config",
      );
    }
    const host = workspaces.find(({ name }) => name === role.workspace)?.host;
    if (host !== undefined && isAzureHost(host)) {
      complain(
        "'pat' is not to be had on Azure, where Databricks makes no tokens on behalf of service principals. Use 'federated'.",
      );
    }
    if (role.sensitivity === 'high' && role.maxMinutes > TOKEN_MAX_MINUTES) {
      complain(
        `a role of sensitivity 'high' can be 'pat' with maxMinutes of ${TOKEN_MAX_MINUTES} at most, because its token is a secret that lives as long as the access. Use 'federated', or a shorter window.`,
      );
    }
    return problems;
  });
}

function ownPrincipalProblems(
  { roles }: CatalogueFile,
  problemAt: ProblemAt,
  terms: CatalogueTerms,
): FileProblem[] {
  return roles.flatMap((role, index) => {
    const applicationId = role.servicePrincipal?.applicationId;
    if (applicationId === undefined || !terms.ownApplicationIds.includes(applicationId)) return [];
    return [
      problemAt(
        ['roles', index, 'servicePrincipal', 'applicationId'],
        `Role '${role.id}': a role cannot act as a service principal of OAM's own, which may do what no role should. Make one for the role.`,
      ),
    ];
  });
}
