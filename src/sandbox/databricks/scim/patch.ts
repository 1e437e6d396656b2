import * as z from 'zod/mini';

import { scimFailure } from '../http/failures.ts';

const PatchOp = z.object({
  schemas: z.array(z.string()),
  Operations: z
    .array(
      z.object({
        op: z.string(),
        path: z.optional(z.string()),
        value: z.optional(z.unknown()),
      }),
    )
    .check(z.minLength(1)),
});

const Members = z.array(z.object({ value: z.string() }));
const MembersObject = z.object({ members: Members });

const PATCH_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

/** One change to a group's members. */
export type MemberChange =
  | { readonly kind: 'add'; readonly memberIds: readonly string[] }
  | { readonly kind: 'remove'; readonly memberId: string }
  /** What a `remove` with the bare path `members` does, whatever `value` it carries. */
  | { readonly kind: 'remove-all' }
  | { readonly kind: 'replace'; readonly memberIds: readonly string[] };

/**
 * Reads a SCIM PatchOp on a group's members, with Databricks' traps: a value that is no array of objects is
 * refused as unparsable; a `remove` without a filter removes everybody.
 */
export function readGroupPatch(text: string): MemberChange[] {
  return readOperations(text).map(readOperation);
}

/** Reads a PatchOp that replaces a user's `active`; it is all of a user that can be written here. */
export function readActive(text: string): boolean {
  const [operation, ...more] = readOperations(text);
  const replaces = operation?.op.toLowerCase() === 'replace' && operation.path === 'active';
  if (!replaces || more.length > 0 || typeof operation.value !== 'boolean') throw unparsable();
  return operation.value;
}

type Operation = z.infer<typeof PatchOp>['Operations'][number];

function readOperations(text: string): Operation[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw unparsable();
  }
  const parsed = PatchOp.safeParse(json);
  if (!parsed.success || !parsed.data.schemas.includes(PATCH_SCHEMA)) throw unparsable();
  return parsed.data.Operations;
}

function readOperation(operation: Operation): MemberChange {
  const path = operation.path?.trim();
  switch (operation.op.toLowerCase()) {
    case 'add':
      return { kind: 'add', memberIds: memberIds(path, operation.value) };
    case 'replace':
      return { kind: 'replace', memberIds: memberIds(path, operation.value) };
    case 'remove': {
      if (path === 'members') return { kind: 'remove-all' };
      const filter = /^members\[\s*value\s+eq\s+"([^"]*)"\s*\]$/i.exec(path ?? '');
      if (filter?.[1] === undefined) throw scimFailure(400, `Unsupported path: ${path ?? ''}`, 'invalidPath');
      return { kind: 'remove', memberId: filter[1] };
    }
    default:
      throw unparsable();
  }
}

function memberIds(path: string | undefined, value: unknown): string[] {
  if (path === 'members') {
    const members = Members.safeParse(value);
    if (members.success) return members.data.map((member) => member.value);
  } else if (path === undefined) {
    const members = MembersObject.safeParse(value);
    if (members.success) return members.data.members.map((member) => member.value);
  }
  throw unparsable();
}

function unparsable(): Error {
  return scimFailure(
    400,
    'Request is unparsable, syntactically incorrect, or violates schema.',
    'invalidSyntax',
  );
}
