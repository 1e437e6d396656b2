import type { Role } from '../../../../src/domain/role.ts';

const ISS = 'https://idp.example';

/** Those who ask and approve. Ben asks and leads; the run is a workload that asks and ends. */
export const PEOPLE = {
  ana: { iss: ISS, sub: 'ana', groups: ['scientists'] },
  ben: { iss: ISS, sub: 'ben', groups: ['scientists', 'leads', 'security'] },
  // The same subject at another issuer is somebody else.
  otherAna: { iss: 'https://other.example', sub: 'ana', groups: ['leads'] },
  lena: { iss: ISS, sub: 'lena', groups: ['leads'] },
  max: { iss: ISS, sub: 'max', groups: ['leads', 'security'] },
  sam: { iss: ISS, sub: 'sam', groups: ['security'] },
  run: { iss: 'https://ci.example', sub: 'run-1', groups: [] },
} as const;

/** One of {@link PEOPLE}. */
export type Name = keyof typeof PEOPLE;

/** All of {@link PEOPLE}. */
export const NAMES: readonly Name[] = ['ana', 'ben', 'otherAna', 'lena', 'max', 'sam', 'run'];

/** How long the access of the run goes on after its last sign of life, in minutes. */
export const RUN_GRACE_MINUTES = 10;

const leads = { approverGroups: ['leads'], quorum: 1 };

const base: Omit<Role, 'id' | 'group'> = {
  title: 'Title',
  gives: 'Rights',
  workspace: 'prod',
  team: 'team',
  sensitivity: 'medium',
  credential: 'member',
  servicePrincipal: undefined,
  maxMinutes: 60,
  maxTotalMinutes: 150,
  defaultMinutes: 30,
  tokenMinutes: 15,
  approval: [],
  probe: undefined,
};

/** The roles as they are at the beginning. */
export const ROLES: readonly Role[] = [
  { ...base, id: 'read', group: { id: '1', name: 'readers' } },
  // One service principal for all its holders: their grants share one membership.
  {
    ...base,
    id: 'deploy',
    group: { id: '2', name: 'deployers' },
    credential: 'federated',
    servicePrincipal: { id: '20', applicationId: 'app' },
    approval: [leads],
  },
  {
    ...base,
    id: 'own',
    group: { id: '3', name: 'owners' },
    approval: [
      { approverGroups: ['leads'], quorum: 2 },
      { approverGroups: ['security'], quorum: 1 },
    ],
  },
];

/** Another content of a role, as an edit of the catalogue gives it. */
export function edited(role: Role, revision: number): Role {
  const approval = role.id === 'read' && revision % 2 === 1 ? [leads] : base.approval;
  return { ...role, gives: `Rights, ${revision}`, approval: role.id === 'read' ? approval : role.approval };
}
