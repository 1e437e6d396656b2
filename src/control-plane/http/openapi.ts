import * as z from 'zod/mini';

import { endpoints, type OperationId } from '../../protocol/endpoints.ts';
import { type Endpoint, refusalsOf } from '../../protocol/endpoint.ts';
import { Problem, type ProblemCode } from '../../protocol/problem.ts';
import { ENTITY_TAG, IDEMPOTENCY_KEY } from './headers.ts';
import { kindOf } from './problems.ts';

type Schema = Readonly<Record<string, unknown>>;

const OF_GRANT: readonly OperationId[] = [
  'getGrant',
  'extendGrant',
  'reviewGrant',
  'returnGrant',
  'revokeGrant',
  'issueCredential',
  'listLeases',
  'handOver',
  'listRunners',
];

/** The operations that go on from an id which another one answers with. */
const FOLLOWING: Readonly<Record<string, Readonly<Record<string, readonly OperationId[]>>>> = {
  createRequest: {
    '/id': [
      ...(['getRequest', 'getBackground', 'explainRequest'] as const),
      ...(['approveRequest', 'denyRequest', 'cancelRequest'] as const),
    ],
    '/grantId': OF_GRANT,
  },
  approveRequest: { '/grantId': OF_GRANT },
  handOver: { '/id': ['endRunner'] },
  createDelegation: { '/id': ['revokeDelegation'] },
};

/** Where a wish takes its content from another answer. */
const WISHED: Readonly<Record<string, Readonly<Record<string, Schema>>>> = {
  listRoles: { createRequest: { roleId: '$response.body#/items/0/id' } },
};

/** The OpenAPI 3.1 description of the API, out of the schemas that the server itself parses with. */
export function describeApi(version: string, serverUrl: string): Schema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [id, endpoint] of Object.entries<Endpoint>(endpoints)) {
    const path = (paths[endpoint.path] ??= {});
    path[endpoint.method.toLowerCase()] = describeOperation(id, endpoint);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Databricks ML OAM', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: serverUrl }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        behindApps: {
          type: 'apiKey',
          in: 'header',
          name: 'X-OAM-Authorization',
          description:
            '`Bearer <token>`, where Authorization belongs to a proxy such as that of Databricks Apps',
        },
      },
      schemas: { Problem: schemaOf(Problem, 'output') },
    },
  };
}

function describeOperation(id: string, endpoint: Endpoint): Schema {
  return {
    operationId: id,
    summary: endpoint.summary,
    security: endpoint.auth === 'bearer' ? [{ bearer: [] }, { behindApps: [] }] : [],
    parameters: [
      ...parametersOf(endpoint.params, 'path'),
      ...parametersOf(endpoint.query, 'query'),
      ...headersOf(id, endpoint),
    ],
    ...(endpoint.body && {
      requestBody: {
        required: !endpoint.body.safeParse({}).success,
        content: { 'application/json': { schema: schemaOf(endpoint.body, 'input') } },
      },
    }),
    responses: {
      [endpoint.successStatus]: describeSuccess(id, endpoint),
      ...describeRefusals(refusalsOf(endpoint)),
    },
  };
}

function describeSuccess(id: string, endpoint: Endpoint): Schema {
  const schema = schemaOf(endpoint.response, 'output');
  const versioned = isVersioned(endpoint);
  const links: Record<string, Schema> = {};
  for (const [pointer, followers] of Object.entries(FOLLOWING[id] ?? {})) {
    for (const follower of followers) links[follower] = linkTo(follower, pointer, versioned);
  }
  for (const [follower, requestBody] of Object.entries(WISHED[id] ?? {})) {
    links[follower] = { operationId: follower, requestBody };
  }
  return {
    description: 'Done',
    ...(versioned && {
      headers: {
        ETag: {
          description: 'For If-Match',
          required: true,
          schema: { type: 'string', pattern: '^"[0-9]+"$' },
        },
      },
    }),
    content: {
      [endpoint.lines === true ? 'application/x-ndjson' : 'application/json']: { schema },
      ...(id === 'listEvents' && { 'text/event-stream': { schema: { type: 'string' } } }),
    },
    ...(Object.keys(links).length > 0 && { links }),
  };
}

const Versioned = z.object({ properties: z.object({ version: z.object({ type: z.literal('integer') }) }) });

/** True where the answer carries an `ETag`. */
function isVersioned(endpoint: Endpoint): boolean {
  return Versioned.safeParse(schemaOf(endpoint.response, 'output')).success;
}

function linkTo(follower: OperationId, pointer: string, versioned: boolean): Schema {
  const decides = pointer === '/id' && versioned && endpoints[follower].method === 'POST';
  return {
    operationId: follower,
    parameters: {
      'path.id': `$response.body#${pointer}`,
      ...(decides && { 'header.If-Match': '$response.header.ETag' }),
    },
  };
}

/** One answer for each status, which says the codes that it stands for. */
function describeRefusals(codes: readonly ProblemCode[]): Record<string, Schema> {
  const byStatus = Map.groupBy(codes, (code) => kindOf(code).status);
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `${kindOf(code).title} (\`${code}\`)`).join('; '),
        ...(status === 401 && {
          headers: { 'WWW-Authenticate': { required: true, schema: { type: 'string' } } },
        }),
        ...(status === 429 && {
          headers: {
            'Retry-After': {
              description: 'In seconds',
              required: true,
              schema: { type: 'integer', minimum: 1 },
            },
          },
        }),
        content: {
          'application/problem+json': {
            schema: {
              allOf: [
                { $ref: '#/components/schemas/Problem' },
                { type: 'object', properties: { status: { const: status }, code: { enum: ofStatus } } },
              ],
            },
          },
        },
      },
    ]),
  );
}

const ObjectSchema = z.object({
  properties: z.optional(z.record(z.string(), z.unknown())),
  required: z.optional(z.array(z.string())),
});

function parametersOf(schema: z.ZodMiniType, where: 'path' | 'query'): Schema[] {
  const { properties = {}, required = [] } = ObjectSchema.parse(schemaOf(schema, 'input'));
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }));
}

function headersOf(id: string, endpoint: Endpoint): Schema[] {
  const header = (name: string, required: boolean, pattern: RegExp, description: string): Schema => ({
    ...{ name, in: 'header', required, description },
    schema: { type: 'string', pattern: pattern.source },
  });
  const headers: Schema[] = [];
  if (endpoint.method === 'POST') {
    headers.push(
      header('Idempotency-Key', true, IDEMPOTENCY_KEY, 'The same for a repetition, a new one for a new wish'),
    );
  }
  if (endpoint.takesVersion) {
    const needed = endpoint.refusals.includes('precondition_required');
    headers.push(header('If-Match', needed, ENTITY_TAG, 'The ETag of what is decided on'));
  }
  if (id === 'listEvents') {
    headers.push({
      ...{ name: 'Last-Event-ID', in: 'header', required: false, schema: { type: 'string' } },
      description: 'Where a stream goes on; comes before `after`',
    });
  }
  return headers;
}

function schemaOf(schema: z.ZodMiniType, io: 'input' | 'output'): Schema {
  const described: Record<string, unknown> = { ...z.toJSONSchema(schema, { io, unrepresentable: 'any' }) };
  // The dialect is said once, by OpenAPI 3.1 itself.
  delete described['$schema'];
  return described;
}
