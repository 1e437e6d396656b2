import { createHash, timingSafeEqual } from 'node:crypto';

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import SCIMMY from 'scimmy';
import * as z from 'zod/mini';

import type { Redactor } from '../../domain/redaction.ts';
import { callerOf } from '../audit/caller.ts';
import type { RefusedTokens } from '../audit/refused-tokens.ts';
import { inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { UnexpectedFailure } from './answers.ts';
import type { DirectoryLink } from './link.ts';
import { standardPatch } from './patch.ts';
import { ScimExchange } from './resources.ts';

/** What the SCIM endpoint needs. */
export interface DirectoryParts {
  readonly core: Pick<Core, 'db' | 'debt' | 'logger' | 'wake'>;
  readonly redactor: Redactor;
  readonly refusedTokens: RefusedTokens;
  readonly link: DirectoryLink;
  /** Tokens that a provisioning client may present: the present one, and the one before while it is being replaced. */
  readonly tokens: readonly string[];
}

/** Where the company's directory pushes to. Under `/api/`, because only that is reachable in a Databricks App. */
export const SCIM_PATH = '/api/v1/scim/v2';

const BODY_LIMIT_BYTES = 4 * 1024 * 1024;

const MAX_ROWS = 200;

const MEDIA_TYPE = 'application/scim+json';

type ResourceType = typeof SCIMMY.Types.Resource<SCIMMY.Types.Schema>;

type DescriptionType = typeof SCIMMY.Resources.Schema | typeof SCIMMY.Resources.ResourceType;

/** Adds a SCIM 2.0 service provider (RFC 7643, RFC 7644) that Okta and Entra ID can push people and groups to. */
export function addDirectory(app: FastifyInstance, parts: DirectoryParts): void {
  SCIMMY.Resources.User.basepath(SCIM_PATH);
  SCIMMY.Resources.Group.basepath(SCIM_PATH);
  SCIMMY.Resources.Schema.basepath(SCIM_PATH);
  SCIMMY.Resources.ResourceType.basepath(SCIM_PATH);
  SCIMMY.Resources.ServiceProviderConfig.basepath(SCIM_PATH);
  void app.register(
    (scope, _options, done) => {
      const parseJson = scope.getDefaultJsonParser('error', 'error');
      scope.addContentTypeParser(
        ['application/json', MEDIA_TYPE],
        { parseAs: 'string', bodyLimit: BODY_LIMIT_BYTES },
        (request, body: string, parsed) => {
          // Clients name the media type of a DELETE's body too, though there is none.
          if (body === '') parsed(null);
          else void parseJson(request, body, parsed);
        },
      );
      scope.addHook('onRequest', async (request, reply) => {
        if (!isKnown(parts.tokens, request.headers.authorization)) {
          parts.core.logger.warn('A directory push with a wrong token was refused.', {});
          const caller = callerOf(request);
          await parts.refusedTokens.note({ code: 'wrong_directory_token', door: 'directory', caller });
          await answerError(reply, 401, undefined, 'The token is not the one that this directory was given.');
        }
      });
      scope.setErrorHandler((error, _request, reply) => refuse(parts, reply, error));
      scope.setNotFoundHandler((_request, reply) =>
        answerError(reply, 404, undefined, 'There is nothing at this address.'),
      );
      addDescriptions(scope);
      addResources(scope, parts, SCIMMY.Resources.User);
      addResources(scope, parts, SCIMMY.Resources.Group);
      done();
    },
    { prefix: SCIM_PATH },
  );
}

const Query = z.object({
  filter: z.exactOptional(z.string()),
  attributes: z.exactOptional(z.string()),
  excludedAttributes: z.exactOptional(z.string()),
  sortBy: z.exactOptional(z.string()),
  sortOrder: z.exactOptional(z.string()),
  startIndex: z.exactOptional(z.coerce.number()),
  count: z.exactOptional(z.coerce.number()),
});

const ById = z.object({ id: z.string() });

function addDescriptions(scope: FastifyInstance): void {
  const onlyRead = (path: string): void => {
    scope.route({
      method: ['POST', 'PUT', 'PATCH', 'DELETE'],
      url: path,
      handler: (_request, reply) =>
        answerError(reply.header('allow', 'GET'), 405, undefined, 'What the directory is can only be read.'),
    });
  };
  scope.get('/ServiceProviderConfig', async (_request, reply) =>
    answer(reply, 200, await new SCIMMY.Resources.ServiceProviderConfig().read()),
  );
  onlyRead('/ServiceProviderConfig');
  const describe = (path: string, type: DescriptionType): void => {
    scope.get(path, async (_request, reply) => answer(reply, 200, await new type().read()));
    onlyRead(path);
    scope.get(`${path}/:id`, async (request, reply) =>
      answer(reply, 200, await new type(ById.parse(request.params).id).read()),
    );
  };
  describe('/ResourceTypes', SCIMMY.Resources.ResourceType);
  describe('/Schemas', SCIMMY.Resources.Schema);
}

function addResources(scope: FastifyInstance, parts: DirectoryParts, type: ResourceType): void {
  const path = type.endpoint;
  const exchange = async <T>(work: (exchange: ScimExchange) => Promise<T>): Promise<T> => {
    const result = await inChange(parts.core.db, async (change) => {
      const done = await work(new ScimExchange(change, { debt: parts.core.debt, link: parts.link }));
      await change.trx
        .updateTable('directory_contact')
        .set({ spoke_at: toDate(change.nowMs) })
        .execute();
      return done;
    });
    parts.core.wake();
    return result;
  };
  const one = (request: FastifyRequest) => resourceOf(type, ById.parse(request.params).id, query(request));

  scope.get(path, async (request, reply) => {
    const list = resourceOf(type, undefined, query(request));
    return answer(reply, 200, withSchemas(type, await exchange((context) => list.read(context))));
  });
  scope.post(`${path}/.search`, async (request, reply) => {
    const search = resourceOf(type, undefined, searchOf(request.body));
    return answer(reply, 200, withSchemas(type, await exchange((context) => search.read(context))));
  });
  scope.post(path, async (request, reply) => {
    const made = await exchange((context) => new type().write(request.body, context));
    return answer(reply.header('location', made.meta.location), 201, made);
  });
  scope.get(`${path}/:id`, async (request, reply) =>
    answer(reply, 200, withSchemas(type, await exchange((context) => one(request).read(context)))),
  );
  scope.put(`${path}/:id`, async (request, reply) =>
    answer(reply, 200, await exchange((context) => one(request).write(request.body, context))),
  );
  scope.patch(`${path}/:id`, async (request, reply) => {
    const changed = await exchange(async (context) => {
      // Read under its lock first: two pushes that each add a member must not undo each other.
      const present = await one(request).read(context);
      return (await one(request).patch(standardPatch(request.body, present), context)) ?? present;
    });
    return answer(reply, 200, changed);
  });
  scope.delete(`${path}/:id`, async (request, reply) => {
    await exchange((context) => one(request).dispose(context));
    return reply.code(204).send();
  });
}

const Search = z.object({
  schemas: z.array(z.literal(SCIMMY.Messages.SearchRequest.id)),
  filter: z.exactOptional(z.string()),
  attributes: z.exactOptional(z.array(z.string())),
  excludedAttributes: z.exactOptional(z.array(z.string())),
  sortBy: z.exactOptional(z.string()),
  sortOrder: z.exactOptional(z.string()),
  startIndex: z.exactOptional(z.number()),
  count: z.exactOptional(z.number()),
});

/** The query that a search says in its body (RFC 7644 §3.4.3). */
function searchOf(body: unknown): z.infer<typeof Query> {
  const parsed = Search.safeParse(body);
  if (!parsed.success) {
    throw new SCIMMY.Types.Error(400, 'invalidSyntax', 'The body is not a SearchRequest message.');
  }
  const { attributes, excludedAttributes, filter, sortBy, sortOrder, startIndex, count } = parsed.data;
  return {
    ...(filter !== undefined && { filter }),
    ...(attributes !== undefined && { attributes: attributes.join(',') }),
    ...(excludedAttributes !== undefined && { excludedAttributes: excludedAttributes.join(',') }),
    ...(sortBy !== undefined && { sortBy }),
    ...(sortOrder !== undefined && { sortOrder }),
    ...(startIndex !== undefined && { startIndex }),
    ...(count !== undefined && { count }),
  };
}

/** @throws what SCIM calls an invalid filter where the query is none that SCIMMY can read. */
function resourceOf(type: ResourceType, id: string | undefined, asked: z.infer<typeof Query>) {
  try {
    return id === undefined
      ? new type(undefined, { ...asked, count: Math.min(asked.count ?? MAX_ROWS, MAX_ROWS) })
      : new type(id, asked);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new SCIMMY.Types.Error(400, 'invalidFilter', error.message);
  }
}

function query(request: FastifyRequest) {
  const parsed = Query.safeParse(request.query);
  if (!parsed.success) throw new SCIMMY.Types.Error(400, 'invalidValue', 'The query cannot be read.');
  return parsed.data;
}

const Resource = z.looseObject({ schemas: z.optional(z.array(z.string())) });

const ListOfResources = z.looseObject({ Resources: z.array(Resource) });

/** `schemas` is always returned (RFC 7643 §7), also where a client asked for other attributes only. */
function withSchemas(type: ResourceType, answered: unknown): unknown {
  const plain: unknown = JSON.parse(JSON.stringify(answered));
  const list = ListOfResources.safeParse(plain);
  if (list.success) {
    return { ...list.data, Resources: list.data.Resources.map((one) => withSchemas(type, one)) };
  }
  return { schemas: [type.schema.id], ...Resource.parse(plain) };
}

async function answer(reply: FastifyReply, status: number, resource: unknown): Promise<FastifyReply> {
  return reply.code(status).type(MEDIA_TYPE).send(JSON.stringify(resource));
}

const FrameworkError = z.object({ statusCode: z.int() });

async function refuse(parts: DirectoryParts, reply: FastifyReply, error: unknown): Promise<FastifyReply> {
  if (error instanceof SCIMMY.Types.Error && !(error instanceof UnexpectedFailure)) {
    return answerError(reply, error.status, error.scimType, parts.redactor.redact(error.message));
  }
  const status = FrameworkError.safeParse(error).data?.statusCode ?? 500;
  if (status === 413)
    return answerError(reply, 413, undefined, 'The body is too large. Send fewer members at once.');
  if (status < 500) return answerError(reply, 400, 'invalidSyntax', 'The body is not JSON.');
  const cause = error instanceof UnexpectedFailure ? error.cause : error;
  parts.core.logger.error('A push of the directory failed.', {
    reason: parts.redactor.redact(cause instanceof Error ? (cause.stack ?? cause.message) : 'unknown'),
  });
  return answerError(reply, 500, undefined, 'Something went wrong here, and it was logged. Try again.');
}

/** An error in SCIM's own form (RFC 7644 §3.12). */
async function answerError(
  reply: FastifyReply,
  status: number,
  scimType: string | undefined,
  detail: string,
): Promise<FastifyReply> {
  return answer(reply, status, {
    schemas: [SCIMMY.Messages.ErrorResponse.id],
    status: String(status),
    ...(scimType !== undefined && scimType !== '' && { scimType }),
    detail,
  });
}

/** Compared as hashes, so that neither content nor length shows in the time that it takes. */
function isKnown(tokens: readonly string[], header: string | undefined): boolean {
  const presented = digest(/^Bearer +(\S+)$/i.exec(header ?? '')?.[1] ?? '');
  return tokens.filter((token) => timingSafeEqual(digest(token), presented)).length > 0;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
