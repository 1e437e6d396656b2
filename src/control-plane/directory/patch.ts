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

const ENTERPRISE = SCIMMY.Schemas.EnterpriseUser.id;

const MANAGER = `${ENTERPRISE}:manager`;

/** How the names of attributes are written; SCIMMY knows them in no other case. */
const NAMES: ReadonlyMap<string, string> = new Map(
  [SCIMMY.Schemas.User, SCIMMY.Schemas.Group]
    .flatMap(({ definition }) => definition.attributes)
    .map(({ name }) => [name.toLowerCase(), name]),
);

/** The long way to write an attribute of the resource itself (RFC 7644 §3.10). */
const CORE = /^urn:ietf:params:scim:schemas:core:2\.0:(?:User|Group):/i;

/**
 * Parses a PATCH (RFC 7644 §3.5.2), with attributes by whichever of their names (RFC 7643 §2.1), and puts right what Entra
 * ID is known to send against the standard: booleans as the words "True" and "False", a manager as an id, and values for an
 * entry of a list that is not there yet. One word that is not understood refuses the whole, and with it the end of
 * somebody's access.
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
  const understood = parsed.data.Operations.map(withNames).map(withBooleans).map(withManager);
  for (const operation of understood.flatMap((one) => memberByMember(one, present))) {
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

function withNames(operation: Operation): Operation {
  if (operation.path !== undefined) return { ...operation, path: nameOf(operation.path) };
  const members = Members.safeParse(operation.value);
  if (!members.success) {
    if (operation.op === 'remove') return operation;
    throw new SCIMMY.Types.Error(
      400,
      'invalidValue',
      'An operation without a path needs attributes as its value.',
    );
  }
  const named = Object.entries(members.data).map(([name, value]) => [nameOf(name), value] as const);
  return { ...operation, value: Object.fromEntries(named) };
}

function nameOf(path: string): string {
  return path.replace(CORE, '').replace(/^\w+/, (name) => NAMES.get(name.toLowerCase()) ?? name);
}

function withManager(operation: Operation): Operation {
  if (operation.path?.toLowerCase() === MANAGER.toLowerCase() && typeof operation.value === 'string') {
    return { ...operation, value: { value: operation.value } };
  }
  const members = Members.safeParse(operation.value);
  if (operation.path !== undefined || !members.success) return operation;
  const manager = members.data[MANAGER];
  return typeof manager === 'string'
    ? { ...operation, value: { ...members.data, [MANAGER]: { value: manager } } }
    : operation;
}

function withBooleans(operation: Operation): Operation {
  if (operation.value === undefined) return operation;
  if (operation.path === 'active') {
    return { ...operation, value: asBoolean(operation.value) };
  }
  const members = Members.safeParse(operation.value);
  if (operation.path !== undefined || !members.success || !('active' in members.data)) return operation;
  return { ...operation, value: { ...members.data, active: asBoolean(members.data['active'] ?? null) } };
}

const Only = z.tuple([z.looseObject({ value: z.json() })]);

/** Also where it stands in a list of one, as values of many stand. */
function asBoolean(value: z.core.util.JSONType): z.core.util.JSONType {
  const only = Only.safeParse(value);
  if (only.success) return asBoolean(only.data[0].value);
  if (typeof value !== 'string') return value;
  const word = value.toLowerCase();
  return word === 'true' || word === 'false' ? word === 'true' : value;
}

/** An extension as a whole is set and removed member by member: SCIMMY cannot do it at once. */
function memberByMember(operation: Operation, resource: z.infer<typeof Members>): Operation[] {
  if (operation.path !== ENTERPRISE) return [operation];
  const { op } = operation;
  const members = Members.safeParse(op === 'remove' ? (resource[ENTERPRISE] ?? {}) : operation.value);
  if (!members.success) return [operation];
  return Object.entries(members.data)
    .filter(([name]) => name !== 'schemas')
    .map(([name, value]) => {
      const path = `${ENTERPRISE}:${name}`;
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
