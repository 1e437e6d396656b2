import type { Duty } from '../../domain/principal.ts';

/** Somebody who can sign in at the sandbox. */
export interface Person {
  /** The subject: opaque, never reused, and what Databricks keeps as the user's external id. */
  readonly sub: string;
  /** An e-mail address. */
  readonly userName: string;
  readonly displayName: string;
  readonly password: string;
  readonly groups: readonly string[];
  readonly duty: Duty;
  /** For which teams' systems they are on call: an attribute as companies make them up. */
  readonly onCall?: readonly string[];
}

/** The audience of access tokens for OAM's control plane (an RFC 8707 resource). */
export const OAM_AUDIENCE = 'urn:oam:control-plane';

/** The public client that the editor and the command line sign in with. ID tokens carry it as their audience. */
export const EDITOR_CLIENT_ID = 'oam-editor';

/** The scopes that the editor asks for. */
export const EDITOR_SCOPES: readonly string[] = ['openid', 'profile', 'email', 'groups', 'offline_access'];

/** The four people of the demo and the tests, one for each duty. */
export const PEOPLE = {
  ana: {
    sub: '00u-ana-4f1c77',
    userName: 'ana.silva@example.com',
    displayName: 'Ana Silva',
    password: 'coral-lantern-42',
    groups: ['ml-recsys'],
    duty: 'data-scientist',
  },
  omar: {
    sub: '00u-omar-9b20de',
    userName: 'omar.haddad@example.com',
    displayName: 'Omar Haddad',
    password: 'amber-harbour-17',
    groups: ['ml-platform'],
    duty: 'ops-engineer',
    onCall: ['platform'],
  },
  aude: {
    sub: '00u-aude-c3a815',
    userName: 'aude.laurent@example.com',
    displayName: 'Aude Laurent',
    password: 'silver-orchard-63',
    groups: ['audit'],
    duty: 'auditor',
  },
  lena: {
    sub: '00u-lena-71e0b4',
    userName: 'lena.fischer@example.com',
    displayName: 'Lena Fischer',
    password: 'golden-meadow-88',
    groups: ['ml-recsys', 'ml-recsys-leads'],
    duty: 'lead',
  },
} as const satisfies Record<string, Person>;
