import SCIMMY from 'scimmy';
import * as z from 'zod/mini';

const Operation = z.object({
  op: z.pipe(
    z.pipe(
      z.string(),
      z.transform((op) => op.toLowerCase()),
    ),
    z.enum(['add', 'remove', 'replace']),
  ),
  path: z.exactOptional(z.string()),
  value: z.exactOptional(z.json()),
});

type Operation = z.infer<typeof Operation>;

const Message = z.object({
  schemas: z.array(z.literal(SCIMMY.Messages.PatchOp.id)),
  Operations: z.array(Operation),
});

const Members = z.record(z.string(), z.json());

const Typed = z.array(z.looseObject({ type: z.optional(z.string()) }));

/** `emails[type eq "work"].value` and its like. */
const ENTRY_OF_TYPE = /^(\w+)\[type eq "([^"\]]+)"\]\.(\w+)$/i;

/**
 * Parses a PATCH (RFC 7644 §3.5.2) and puts right what Entra ID is known to send against the standard: booleans as
 * the words "True" and "False", and values for an entry of a list that is not there yet.
 *
 * @param resource what the operations are for.
 */
export function standardPatch(body: unknown, resource: unknown) {
  const parsed = Message.safeParse(body);
  if (!parsed.success) {
    throw new SCIMMY.Types.Error(400, 'invalidSyntax', 'The body is not a PatchOp message.');
  }
  const present = Members.parse(JSON.parse(JSON.stringify(resource)));
  const added = new Map<string, Record<string, z.core.util.JSONType>>();
  const operations: Operation[] = [];
  for (const operation of parsed.data.Operations.map(withBooleans).flatMap((one) =>
    memberByMember(one, present),
  )) {
    const entry = missingEntry(operation, present);
    if (entry === undefined) {
      operations.push(operation);
      continue;
    }
    const { attribute, type, member } = entry;
    const known = added.get(`${attribute} ${type}`);
    if (known !== undefined) {
      known[member] = operation.value ?? null;
      continue;
    }
    const value = { type, [member]: operation.value ?? null };
    added.set(`${attribute} ${type}`, value);
    operations.push({ op: 'add', path: attribute, value: [value] });
  }
  return { schemas: parsed.data.schemas, Operations: operations };
}

function withBooleans(operation: Operation): Operation {
  if (operation.value === undefined) return operation;
  if (operation.path?.toLowerCase() === 'active') {
    return { ...operation, value: asBoolean(operation.value) };
  }
  const members = Members.safeParse(operation.value);
  if (operation.path !== undefined || !members.success || !('active' in members.data)) return operation;
  return { ...operation, value: { ...members.data, active: asBoolean(members.data['active'] ?? null) } };
}

function asBoolean(value: z.core.util.JSONType): z.core.util.JSONType {
  if (typeof value !== 'string') return value;
  const word = value.toLowerCase();
  return word === 'true' || word === 'false' ? word === 'true' : value;
}

/** An extension as a whole is set and removed member by member: SCIMMY cannot do it at once. */
function memberByMember(operation: Operation, resource: z.infer<typeof Members>): Operation[] {
  const extension = SCIMMY.Schemas.EnterpriseUser.id;
  if (operation.path !== extension) return [operation];
  const { op } = operation;
  const members = Members.safeParse(op === 'remove' ? (resource[extension] ?? {}) : operation.value);
  if (!members.success) return [operation];
  return Object.entries(members.data)
    .filter(([name]) => name !== 'schemas')
    .map(([name, value]) => {
      const path = `${extension}:${name}`;
      return op === 'remove' ? { op, path } : { op, path, value };
    });
}

function missingEntry(operation: Operation, resource: z.infer<typeof Members>) {
  if (operation.op === 'remove') return undefined;
  const [, attribute, type, member] = ENTRY_OF_TYPE.exec(operation.path ?? '') ?? [];
  if (attribute === undefined || type === undefined || member === undefined) return undefined;
  const entries = Typed.safeParse(resource[attribute] ?? []);
  if (!entries.success || entries.data.some((entry) => entry.type === type)) return undefined;
  return { attribute, type, member };
}
