import * as z from 'zod/mini';

import { type Endpoint, endpoints } from '../../protocol/endpoints.ts';
import { Problem } from '../../protocol/problem.ts';

type Schema = Readonly<Record<string, unknown>>;

/** The OpenAPI 3.1 description of the API, out of the schemas that the server itself parses with. */
export function describeApi(version: string, serverUrl: string): Schema {
  const paths: Record<string, Record<string, unknown>> = {};
  const table: Readonly<Record<string, Endpoint>> = endpoints;
  for (const [id, endpoint] of Object.entries(table)) {
    const path = (paths[endpoint.path] ??= {});
    path[endpoint.method.toLowerCase()] = describeOperation(id, endpoint);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Databricks ML OAM', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: serverUrl }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      responses: {
        Problem: {
          description: 'RFC 9457 problem details, with a code, a sentence and the next step',
          content: { 'application/problem+json': { schema: schemaOf(Problem, 'output') } },
        },
      },
    },
  };
}

function describeOperation(id: string, endpoint: Endpoint): Schema {
  return {
    operationId: id,
    summary: endpoint.summary,
    security: endpoint.auth === 'bearer' ? [{ bearer: [] }] : [],
    parameters: [
      ...parametersOf(endpoint.params, 'path'),
      ...parametersOf(endpoint.query, 'query'),
      ...headersOf(endpoint),
    ],
    ...(endpoint.body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: schemaOf(endpoint.body, 'input') } },
      },
    }),
    responses: {
      [endpoint.successStatus]: {
        description: 'Done',
        content: { 'application/json': { schema: schemaOf(endpoint.response, 'output') } },
      },
      default: { $ref: '#/components/responses/Problem' },
    },
  };
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

function headersOf(endpoint: Endpoint): Schema[] {
  if (endpoint.method !== 'POST') return [];
  return [
    { name: 'Idempotency-Key', in: 'header', required: true, schema: { type: 'string', maxLength: 200 } },
    { name: 'If-Match', in: 'header', required: false, schema: { type: 'string' } },
  ];
}

function schemaOf(schema: z.ZodMiniType, io: 'input' | 'output'): Schema {
  const described: Record<string, unknown> = { ...z.toJSONSchema(schema, { io, unrepresentable: 'any' }) };
  // The dialect is said once, by OpenAPI 3.1 itself.
  delete described['$schema'];
  return described;
}
