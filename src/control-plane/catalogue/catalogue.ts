import type { ApprovalStage, Role, Team, Workspace } from '../../domain/role.ts';
import { type FileProblem, FileProblemsError, type ProblemAt } from '../configuration/problems.ts';
import { checkYaml } from '../configuration/yaml.ts';
import { checkCatalogue } from './rules.ts';
import { CatalogueFile } from './schema.ts';
import { type CatalogueTerms, DEFAULT_TERMS } from './terms.ts';

/** What can be asked for, where, and by which teams. */
export interface Catalogue {
  readonly workspaces: readonly Workspace[];
  readonly teams: readonly Team[];
  /** The attributes that rules and stages may speak of. */
  readonly attributes: readonly string[];
  readonly roles: readonly Role[];
}

/** The variables that `env:NAME` is looked up in. */
export type Environment = Readonly<Record<string, string | undefined>>;

const FROM_ENVIRONMENT = 'env:';

/**
 * Reads the catalogue of a policy folder.
 *
 * @param text what the file holds; undefined where it cannot be read.
 * @throws {FileProblemsError} `catalogue_invalid` with every problem and its line.
 */
export function readCatalogue(
  path: string,
  text: string | undefined,
  environment: Environment,
  terms: CatalogueTerms = DEFAULT_TERMS,
): Catalogue {
  if (text === undefined) {
    throw invalid([{ file: path, line: undefined, message: 'The file is missing or cannot be read.' }]);
  }
  const checked = checkYaml(path, text, CatalogueFile);
  if (checked.value === undefined) throw invalid(checked.problems);
  const unresolved: FileProblem[] = [];
  const file = resolveEnvironment(checked.value, environment, (place, message) => {
    const problem = checked.problemAt(place, message);
    unresolved.push(problem);
    return problem;
  });
  // A variable that is not set would only bring forth problems of its own.
  const problems = unresolved.length > 0 ? unresolved : checkCatalogue(file, checked.problemAt, terms);
  if (problems.length > 0) throw invalid(problems);
  return toCatalogue(file);
}

function invalid(problems: readonly FileProblem[]): FileProblemsError {
  return new FileProblemsError(
    'catalogue_invalid',
    'The catalogue cannot be used. Mend what is named here, and check it with: oam policy check',
    problems,
  );
}

/** `env:NAME` stands for a variable's value, only where places differ: hosts and the ids of service principals. */
function resolveEnvironment(
  file: CatalogueFile,
  environment: Environment,
  complain: ProblemAt,
): CatalogueFile {
  const resolve = (value: string, path: readonly (string | number)[]): string => {
    if (!value.startsWith(FROM_ENVIRONMENT)) return value;
    const name = value.slice(FROM_ENVIRONMENT.length);
    const found = environment[name];
    if (found !== undefined && found !== '') return found;
    complain(path, `The environment variable ${name} is not set.`);
    return value;
  };
  return {
    ...file,
    workspaces: file.workspaces.map((workspace, index) => ({
      ...workspace,
      host: resolve(workspace.host, ['workspaces', index, 'host']),
    })),
    roles: file.roles.map((role, index) => {
      if (role.servicePrincipal === undefined) return role;
      const { id, applicationId } = role.servicePrincipal;
      const at = ['roles', index, 'servicePrincipal'];
      return {
        ...role,
        servicePrincipal: {
          id: resolve(id, [...at, 'id']),
          applicationId: resolve(applicationId, [...at, 'applicationId']),
        },
      };
    }),
  };
}

/** A stage as the file has it. */
type StageOfFile = NonNullable<CatalogueFile['roles'][number]['approval']>[number];

/** Where the catalogue does not say, a role can be extended up to three of its longest windows in a row. */
const WINDOWS_IN_A_ROW = 3;

function toCatalogue(file: CatalogueFile): Catalogue {
  const teams = new Map(file.teams.map((team) => [team.name, team]));
  return {
    workspaces: file.workspaces,
    teams: file.teams,
    attributes: file.attributes,
    roles: file.roles.map((role): Role => ({
      ...role,
      servicePrincipal: role.servicePrincipal,
      maxTotalMinutes: role.maxTotalMinutes ?? WINDOWS_IN_A_ROW * role.maxMinutes,
      // Where the catalogue names nobody, the leads of the role's team approve.
      approval: role.approval?.map((stage) => toStage(stage, teams.get(role.team))) ?? [
        { approverGroups: [teams.get(role.team)?.leadGroup ?? ''], quorum: 1 },
      ],
      probe: role.probe,
    })),
  };
}

function toStage(
  { approverGroups = [], ofTeam, ...stage }: StageOfFile,
  team: Team | undefined,
): ApprovalStage {
  const groups = team === undefined ? [] : [team.group, team.leadGroup];
  return { ...stage, approverGroups, ...(ofTeam && { ofTeam: { name: team?.name ?? '', groups } }) };
}
