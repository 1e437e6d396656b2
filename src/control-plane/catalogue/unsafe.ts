import type { FileProblem, ProblemAt } from '../configuration/problems.ts';
import type { CatalogueFile } from './schema.ts';

/** What each for itself is right, and together gives away more than anybody means to give. */
export function unsafeProblems({ teams, roles }: CatalogueFile, problemAt: ProblemAt): FileProblem[] {
  // Identity providers and Databricks keep groups of the same name in step: a holder would become what the group stands for.
  const meanings = new Map([
    ...roles.flatMap(({ approval = [] }) =>
      approval.flatMap(({ approverGroups = [] }) =>
        approverGroups.map((group) => [group, 'approvers'] as const),
      ),
    ),
    ...teams.flatMap(({ name, group, leadGroup }) => [
      [group, `the team ${name}`] as const,
      [leadGroup, `the leads of ${name}`] as const,
    ]),
  ]);
  return roles.flatMap((role, index) => {
    const problems: FileProblem[] = [];
    const meaning = meanings.get(role.group.name);
    if (meaning !== undefined) {
      problems.push(
        problemAt(
          ['roles', index, 'group', 'name'],
          `Role '${role.id}': its group '${role.group.name}' is that of ${meaning}, so that whoever holds the role would be one of them. Make a group for the role alone.`,
        ),
      );
    }
    (role.approval ?? []).forEach(({ approverDuty }, stage) => {
      if (approverDuty !== 'auditor') return;
      problems.push(
        problemAt(
          ['roles', index, 'approval', stage, 'approverDuty'],
          `Role '${role.id}': auditors do not approve what they audit. Name another duty.`,
        ),
      );
    });
    return problems;
  });
}
