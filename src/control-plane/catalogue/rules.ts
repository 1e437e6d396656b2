import { faultOfOrigin } from '../configuration/origin.ts';
import { actsAsServicePrincipal } from '../../domain/role.ts';
import { didYouMean } from '../configuration/nearest.ts';
import type { FileProblem, ProblemAt } from '../configuration/problems.ts';
import type { CatalogueFile } from './schema.ts';
import { type CatalogueTerms, termProblems } from './terms.ts';
import { unsafeProblems } from './unsafe.ts';

/** What a schema cannot say: names that must exist, things that must not be shared, kinds that do not go together. */
export function checkCatalogue(
  catalogue: CatalogueFile,
  problemAt: ProblemAt,
  terms: CatalogueTerms,
): FileProblem[] {
  return [
    ...workspaceProblems(catalogue, problemAt),
    ...duplicates(catalogue.teams, 'teams', (team) => team.name, ['name'], problemAt),
    ...duplicates(catalogue.roles, 'roles', (role) => role.id, ['id'], problemAt),
    // Removing one role's member would take away the other role's access, and the reverse would leave it.
    ...duplicates(catalogue.roles, 'roles', (role) => role.group.id, ['group', 'id'], problemAt),
    // While a grant of one role lived, a token of the other would carry its rights too.
    ...duplicates(
      catalogue.roles,
      'roles',
      (role) => role.servicePrincipal?.applicationId,
      ['servicePrincipal', 'applicationId'],
      problemAt,
    ),
    ...roleProblems(catalogue, problemAt),
    ...stageProblems(catalogue, problemAt),
    ...termProblems(catalogue, problemAt, terms),
    ...unsafeProblems(catalogue, problemAt),
  ];
}

function workspaceProblems({ workspaces }: CatalogueFile, problemAt: ProblemAt): FileProblem[] {
  return [
    ...duplicates(workspaces, 'workspaces', (workspace) => workspace.name, ['name'], problemAt),
    ...duplicates(workspaces, 'workspaces', (workspace) => workspace.host, ['host'], problemAt),
    ...workspaces.flatMap(({ host }, index) => {
      const fault = faultOfOrigin(host);
      return fault === undefined ? [] : [problemAt(['workspaces', index, 'host'], `'${host}' ${fault}`)];
    }),
    ...workspaces.flatMap(({ name, tokenSource, signInClient }, index) =>
      signInClient === undefined || tokenSource === 'databricks-sign-in'
        ? []
        : [
            problemAt(
              ['workspaces', index, 'signInClient'],
              `Workspace '${name}': nobody signs in there, because its 'tokenSource' is 'exchange'. Take the 'signInClient' away.`,
            ),
          ],
    ),
  ];
}

function roleProblems({ roles, workspaces, teams }: CatalogueFile, problemAt: ProblemAt): FileProblem[] {
  const workspaceNames = workspaces.map(({ name }) => name);
  const teamNames = teams.map(({ name }) => name);
  return roles.flatMap((role, index) => {
    const problems: FileProblem[] = [];
    const complain = (key: string, message: string): void => {
      problems.push(problemAt(['roles', index, key], `Role '${role.id}': ${message}`));
    };
    if (!workspaceNames.includes(role.workspace)) {
      const meant = didYouMean(role.workspace, workspaceNames);
      complain('workspace', `there is no workspace '${role.workspace}'.${meant}`);
    }
    if (!teamNames.includes(role.team)) {
      complain('team', `there is no team '${role.team}'.${didYouMean(role.team, teamNames)}`);
    }
    if (role.credential === 'member' && role.sensitivity === 'high') {
      complain(
        'credential',
        "a role of sensitivity 'high' cannot be 'member', because a person's own token carries such a right everywhere they work. Use 'federated'.",
      );
    }
    if (role.credential === 'assume' && role.sensitivity === 'high') {
      complain(
        'credential',
        "a role of sensitivity 'high' cannot be 'assume': who may assume the group is a member of it, and has its rights everywhere they work. Use 'federated'.",
      );
    }
    const workspace = workspaces.find(({ name }) => name === role.workspace);
    if (role.credential === 'assume' && workspace?.tokenSource === 'databricks-sign-in') {
      complain(
        'credential',
        `'assume' exchanges the person's ID token, and the 'tokenSource' of '${role.workspace}' is 'databricks-sign-in'. Use another kind, or register a federation policy.`,
      );
    }
    const needsPrincipal = actsAsServicePrincipal(role.credential);
    if (needsPrincipal && role.servicePrincipal === undefined) {
      complain(
        'credential',
        `'${role.credential}' needs a 'servicePrincipal' with id and applicationId to act as.`,
      );
    }
    if (!needsPrincipal && role.servicePrincipal !== undefined) {
      complain(
        'servicePrincipal',
        `'${role.credential}' acts as the person; take the 'servicePrincipal' away.`,
      );
    }
    if (role.defaultMinutes > role.maxMinutes) {
      complain('defaultMinutes', `offers ${role.defaultMinutes} minutes, more than maxMinutes allows.`);
    }
    if (role.maxTotalMinutes !== undefined && role.maxTotalMinutes < role.maxMinutes) {
      complain(
        'maxTotalMinutes',
        `allows ${role.maxTotalMinutes} minutes, less than one window of maxMinutes.`,
      );
    }
    return problems;
  });
}

function stageProblems({ roles, attributes }: CatalogueFile, problemAt: ProblemAt): FileProblem[] {
  return roles.flatMap((role, index) =>
    (role.approval ?? []).flatMap((stage, place) => {
      const at = ['roles', index, 'approval', place];
      const names = Object.keys(stage.approverAttributes ?? {});
      const isOpen = stage.approverGroups === undefined && stage.approverDuty === undefined;
      if (isOpen && names.length === 0 && !stage.ofTeam) {
        const ways = "'approverGroups', 'approverDuty', 'approverAttributes' or 'ofTeam'";
        return [problemAt(at, `Role '${role.id}': the stage names nobody who may approve. Add ${ways}.`)];
      }
      return names
        .filter((name) => !attributes.includes(name))
        .map((name) =>
          problemAt(
            [...at, 'approverAttributes', name],
            `Role '${role.id}': '${name}' is not one of the 'attributes' of the catalogue.${didYouMean(name, attributes)}`,
          ),
        );
    }),
  );
}

function duplicates<Row>(
  rows: readonly Row[],
  list: string,
  keyOf: (row: Row) => string | undefined,
  path: readonly string[],
  problemAt: ProblemAt,
): FileProblem[] {
  const seen = new Set<string>();
  return rows.flatMap((row, index) => {
    const key = keyOf(row);
    if (key === undefined || !seen.has(key)) {
      if (key !== undefined) seen.add(key);
      return [];
    }
    return [problemAt([list, index, ...path], `'${key}' is taken by another of the ${list}.`)];
  });
}
