import SCIMMY from 'scimmy';
import * as z from 'zod/mini';

import type { JsonObject } from '../../domain/canonical.ts';
import type { Change } from '../changes/change.ts';
import { isStorable } from '../store/storable.ts';
import { faithfully, invalidValue } from './answers.ts';
import {
  type ConsequenceParts,
  DIRECTORY_ACTOR,
  drawConsequences,
  endEverything,
  followGroups,
  forgetFacts,
} from './consequences.ts';
import {
  addGroup,
  type DirectoryGroup,
  type GroupInput,
  listGroups,
  lockGroup,
  removeGroup,
  replaceGroup,
  without,
} from './groups.ts';
import { nameOf, subjectOf } from './link.ts';
import {
  addPerson,
  type DirectoryPerson,
  listPeople,
  lockPerson,
  type PersonInput,
  type PersonKey,
  removePerson,
  replacePerson,
} from './people.ts';

/** One exchange with a SCIM client: everything that it reads and writes is one change. */
export class ScimExchange {
  readonly change: Change;
  readonly parts: ConsequenceParts;

  constructor(change: Change, parts: ConsequenceParts) {
    this.change = change;
    this.parts = parts;
  }
}

/** SCIMMY keeps its resource types in one place for the process; who is served comes with each exchange. */
const Exchange = z.instanceof(ScimExchange);

/** What names somebody or something is taken as it is or not at all: replaced, two that differ would be one. */
const Text = z
  .string()
  .check(
    z.minLength(1),
    z.maxLength(500),
    z.refine(isStorable, { error: 'holds a character that cannot be stored: NUL, or half of one.' }),
  );

const Input = z.record(z.string(), z.json());

const PersonBody = z.object({
  userName: Text,
  externalId: z.optional(Text),
  active: z.optional(z.boolean()),
});

const GroupBody = z.object({
  displayName: Text,
  externalId: z.optional(Text),
  members: z.optional(z.array(z.object({ value: Text }))),
});

// OAM has no use for them, and SCIMMY takes no value of their types, which RFC 7643 leaves open.
SCIMMY.Schemas.User.truncate(['roles', 'x509Certificates']);

SCIMMY.Resources.declare(SCIMMY.Resources.User)
  .extend(SCIMMY.Schemas.EnterpriseUser, false)
  .ingress((resource, instance, context: unknown) =>
    faithfully(async () => {
      const { change, parts } = Exchange.parse(context);
      if (resource.id === undefined) {
        const added = await addPerson(change, personInput(instance, true));
        return viewPerson(await tellOfPerson(change, parts, 'added', added));
      }
      const before = await lockPerson(change, resource.id);
      const after = await replacePerson(change, before, personInput(instance, before.active));
      // Whoever the person was to tokens before must not go on under a name that nobody vouches for.
      const formerly = subjectOf(parts.link, before);
      if (formerly !== undefined && formerly !== subjectOf(parts.link, after)) {
        await endEverything(change, parts, formerly);
      }
      const kind = before.active && !after.active ? 'deactivated' : 'changed';
      return viewPerson(await tellOfPerson(change, parts, kind, after));
    }),
  )
  .egress((resource, context: unknown) =>
    faithfully(async () => {
      const { change } = Exchange.parse(context);
      if (resource.id !== undefined) return viewPerson(await lockPerson(change, resource.id));
      const people = (await listPeople(change, personKey(resource.filter))).map(viewPerson);
      return matching(resource.filter, people);
    }),
  )
  .degress((resource, context: unknown) =>
    faithfully(async () => {
      const { change, parts } = Exchange.parse(context);
      const person = await lockPerson(change, resource.id ?? '');
      await removePerson(change, person);
      const sub = subjectOf(parts.link, person);
      if (sub !== undefined) await forgetFacts(change, parts.link, sub);
      await tellOfPerson(change, parts, 'removed', { ...person, active: false });
    }),
  );

SCIMMY.Resources.declare(SCIMMY.Resources.Group)
  .ingress((resource, instance, context: unknown) =>
    faithfully(async () => {
      const { change, parts } = Exchange.parse(context);
      const input = groupInput(instance);
      if (resource.id === undefined) {
        const group = await addGroup(change, input);
        await tellOfGroup(change, parts, 'added', undefined, group);
        return viewGroup(group);
      }
      const before = await lockGroup(change, resource.id);
      const after = await replaceGroup(change, before, input);
      await tellOfGroup(change, parts, 'changed', before, after);
      return viewGroup(after);
    }),
  )
  .egress((resource, context: unknown) =>
    faithfully(async () => {
      const { change } = Exchange.parse(context);
      if (resource.id !== undefined) return viewGroup(await lockGroup(change, resource.id));
      const groups = (await listGroups(change, soleEquality(resource.filter, 'displayName'))).map(viewGroup);
      return matching(resource.filter, groups);
    }),
  )
  .degress((resource, context: unknown) =>
    faithfully(async () => {
      const { change, parts } = Exchange.parse(context);
      const group = await lockGroup(change, resource.id ?? '');
      await tellOfGroup(change, parts, 'removed', group, undefined);
      await removeGroup(change, group);
    }),
  );

SCIMMY.Config.set({
  patch: true,
  filter: true,
  sort: true,
  etag: false,
  changePassword: false,
  bulk: false,
  authenticationSchemes: [
    {
      type: 'oauthbearertoken',
      name: 'Bearer token',
      description: 'The token that the control plane was configured with.',
    },
  ],
});

/** A resource out of the instance that SCIMMY made of a client's body. */
function plain(instance: unknown): JsonObject {
  return Input.parse(JSON.parse(JSON.stringify(instance)));
}

/** What has a column of its own, what the server says itself, and what must never be kept. */
const KEPT_APART = new Set([
  ...['userName', 'externalId', 'active'],
  ...['id', 'meta', 'schemas', 'groups'],
  'password',
]);

function personInput(instance: unknown, active: boolean): PersonInput {
  const resource = plain(instance);
  const body = parse(PersonBody, resource);
  const attributes = Object.fromEntries(Object.entries(resource).filter(([name]) => !KEPT_APART.has(name)));
  return {
    userName: body.userName,
    externalId: body.externalId,
    // What a client leaves out stays as it is: nobody is let in again by silence.
    active: body.active ?? active,
    attributes,
  };
}

function groupInput(instance: unknown): GroupInput {
  const { displayName, externalId, members = [] } = parse(GroupBody, plain(instance));
  return { displayName, externalId, memberIds: [...new Set(members.map((member) => member.value))] };
}

function parse<T>(schema: z.ZodMiniType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalidValue('The resource cannot be taken', z.prettifyError(parsed.error).replaceAll('\n', ' '));
}

function personKey(filter: SCIMMY.Types.Filter | undefined): PersonKey | undefined {
  const userName = soleEquality(filter, 'userName');
  if (userName !== undefined) return { userName };
  const externalId = soleEquality(filter, 'externalId');
  return externalId === undefined ? undefined : { externalId };
}

function matching<T extends object>(filter: SCIMMY.Types.Filter | undefined, resources: T[]): T[] {
  if (filter === undefined) return resources;
  const alternatives = [...filter].map((alternative) => new SCIMMY.Types.Filter([alternative]));
  return resources.filter((resource) => alternatives.some((alternative) => isMet(alternative, resource)));
}

/** SCIMMY looks into attributes that a resource does not have, and trips over that: such a resource does not meet it. */
function isMet(filter: SCIMMY.Types.Filter, resource: object): boolean {
  try {
    return filter.match([resource]).length > 0;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

/** The value where a filter asks for nothing but one attribute's equality: that look-up has an index. */
function soleEquality(filter: SCIMMY.Types.Filter | undefined, attribute: string): string | undefined {
  const Sole = z.tuple([z.strictObject({ [attribute]: z.tuple([z.literal('eq'), z.string()]) })]);
  const sole = Sole.safeParse(filter === undefined ? [] : JSON.parse(JSON.stringify([...filter])));
  const value = sole.success ? sole.data[0][attribute]?.[1] : undefined;
  return value !== undefined && isStorable(value) ? value : undefined;
}

function viewPerson(person: DirectoryPerson) {
  const { id, userName, externalId, active, attributes } = person;
  return {
    ...attributes,
    id,
    userName,
    active,
    ...(externalId !== undefined && { externalId }),
    meta: meta(person),
  };
}

function viewGroup(group: DirectoryGroup) {
  const { id, displayName, externalId, members } = group;
  return {
    id,
    displayName,
    ...(externalId !== undefined && { externalId }),
    members: members.map((member) => ({
      value: member.id,
      display: member.userName,
      $ref: `${String(SCIMMY.Resources.User.basepath())}/${member.id}`,
      type: 'User',
    })),
    meta: meta(group),
  };
}

function meta(of: Pick<DirectoryPerson, 'createdAt' | 'modifiedAt'>) {
  return { created: of.createdAt, lastModified: of.modifiedAt };
}

async function tellOfPerson(
  change: Change,
  parts: ConsequenceParts,
  kind: 'added' | 'changed' | 'deactivated' | 'removed',
  person: DirectoryPerson,
): Promise<DirectoryPerson> {
  await parts.debt.record(change, {
    event: `directory.person_${kind}`,
    actor: DIRECTORY_ACTOR,
    detail: {
      id: person.id,
      userName: person.userName,
      externalId: person.externalId,
      subject: subjectOf(parts.link, person),
      active: person.active,
    },
  });
  await drawConsequences(change, parts, person);
  return person;
}

async function tellOfGroup(
  change: Change,
  parts: ConsequenceParts,
  kind: 'added' | 'changed' | 'removed',
  before: DirectoryGroup | undefined,
  after: DirectoryGroup | undefined,
): Promise<void> {
  const names = { before: nameOf(parts.link, before), after: nameOf(parts.link, after) };
  const were = before?.members.map((member) => member.id) ?? [];
  const are = after?.members.map((member) => member.id) ?? [];
  const renamed = names.before !== names.after;
  const lost = { name: names.before, people: renamed ? were : without(were, are) };
  const got = { name: names.after, people: renamed ? are : without(are, were) };
  // What the directory says gives nobody anything by itself, and often takes away: it does not wait for the trail.
  await parts.debt.record(change, {
    event: `directory.group_${kind}`,
    actor: DIRECTORY_ACTOR,
    detail: {
      id: (after ?? before)?.id,
      displayName: (after ?? before)?.displayName,
      lost: lost.people,
      got: got.people,
    },
  });
  await followGroups(change, parts.link, { lost, got });
}
