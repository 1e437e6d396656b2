import * as z from 'zod/mini';

import type { Principal } from '../account/directory.ts';
import type { Securable } from '../account/securables.ts';
import { doesNotExist, invalidParameter, permissionDenied } from '../http/failures.ts';
import { type AuthenticatedCall, pageOf, param, parseBody, type Route, wholeNumber } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import type { Model } from '../seed/assets.ts';
import { SEED } from '../seed/identities.ts';
import type { World } from '../world.ts';
import { label, visible } from './visibility.ts';

const OWNER = SEED.servicePrincipals.admin.applicationId;

/** The most models on a page, and how many `max_results=0` gives. */
const MODELS_PAGE = 50;

/** Registered models, their versions and aliases. */
export function modelRoutes(world: World, base: string): Route[] {
  const { models } = world.accountAssets;

  const found = (call: AuthenticatedCall): { model: Model; securable: Securable } => {
    const fullName = param(call, 'name');
    const securable = visible(world, call.caller, 'function', fullName);
    const model = models.get(fullName);
    if (model === undefined) throw doesNotExist(`Registered model '${fullName}' does not exist.`);
    return { model, securable };
  };

  const aliasTarget = (call: AuthenticatedCall): Model => {
    const { model, securable } = found(call);
    require(world, call.caller, securable, 'MANAGE');
    return model;
  };

  return [
    {
      method: 'GET',
      path: `${base}/models`,
      handle: (call) => {
        const catalog = call.query.get('catalog_name');
        const schema = call.query.get('schema_name');
        if ((catalog === null) !== (schema === null)) {
          throw invalidParameter('catalog_name and schema_name must be given together or not at all.');
        }
        const seen = [...models.values()].filter((model) => {
          if (catalog !== null && (model.catalog !== catalog || model.schema !== schema)) return false;
          const securable = world.securables.find('function', model.fullName);
          return securable !== undefined && world.securables.sees(call.caller, securable);
        });
        const asked = wholeNumber(call.query, 'max_results', { min: 0, max: MODELS_PAGE, otherwise: 0 });
        const { rows, next } = pageOf(seen, call.query.get('page_token'), asked === 0 ? MODELS_PAGE : asked);
        return ok({
          registered_models: rows.map((model) => modelOf(model, canUse(world, call.caller, model.fullName))),
          ...(next !== undefined && { next_page_token: next }),
        });
      },
    },
    {
      method: 'GET',
      path: `${base}/models/{name}`,
      handle: (call) => {
        const { model } = found(call);
        return ok({
          ...modelOf(model, canUse(world, call.caller, model.fullName)),
          ...(call.query.get('include_aliases') === 'true' && { aliases: aliasesOf(model) }),
        });
      },
    },
    {
      method: 'GET',
      path: `${base}/models/{name}/versions`,
      handle: (call) => {
        const { model, securable } = found(call);
        require(world, call.caller, securable, 'EXECUTE');
        const asked = wholeNumber(call.query, 'max_results', { min: 0, max: 100, otherwise: 0 });
        const newestFirst = model.versions.toReversed();
        const { rows, next } = pageOf(newestFirst, call.query.get('page_token'), asked === 0 ? 100 : asked);
        return ok({
          model_versions: rows.map((version) => ({
            catalog_name: model.catalog,
            schema_name: model.schema,
            model_name: model.name,
            version,
            status: 'READY',
            created_by: OWNER,
          })),
          ...(next !== undefined && { next_page_token: next }),
        });
      },
    },
    {
      method: 'PUT',
      path: `${base}/models/{name}/aliases/{alias}`,
      handle: (call) => {
        const model = aliasTarget(call);
        const { version_num: version } = parseBody(z.object({ version_num: z.int() }), call);
        if (!model.versions.includes(version)) {
          throw doesNotExist(`Model version ${version} of '${model.fullName}' does not exist.`);
        }
        model.aliases.set(param(call, 'alias'), version);
        model.updatedAtMs = world.clock.nowMs();
        return ok({ alias_name: param(call, 'alias'), version_num: version });
      },
    },
    {
      method: 'DELETE',
      path: `${base}/models/{name}/aliases/{alias}`,
      handle: (call) => {
        const model = aliasTarget(call);
        if (!model.aliases.delete(param(call, 'alias'))) {
          throw doesNotExist(`Alias '${param(call, 'alias')}' does not exist.`);
        }
        return ok({});
      },
    },
  ];
}

/** The privilege itself, and the way to it: `USE_CATALOG` and `USE_SCHEMA`. */
function require(world: World, caller: Principal, securable: Securable, privilege: string): void {
  const { securables } = world;
  if (!securables.holds(caller, securable, privilege)) {
    throw permissionDenied(`User does not have ${privilege} on ${label(securable)}.`);
  }
  const schema = securable.parent;
  const catalog = schema?.parent;
  if (schema !== undefined && !securables.holds(caller, schema, 'USE_SCHEMA')) {
    throw permissionDenied(`User does not have USE SCHEMA on Schema '${schema.fullName}'.`);
  }
  if (catalog !== undefined && !securables.holds(caller, catalog, 'USE_CATALOG')) {
    throw permissionDenied(`User does not have USE CATALOG on Catalog '${catalog.fullName}'.`);
  }
}

function canUse(world: World, caller: Principal, fullName: string): boolean {
  const securable = world.securables.find('function', fullName);
  return securable !== undefined && world.securables.holds(caller, securable, 'EXECUTE');
}

function modelOf(model: Model, usable: boolean): object {
  return {
    name: model.name,
    catalog_name: model.catalog,
    schema_name: model.schema,
    full_name: model.fullName,
    owner: OWNER,
    comment: model.comment,
    metastore_id: SEED.metastoreId,
    created_at: model.createdAtMs,
    created_by: OWNER,
    updated_at: model.updatedAtMs,
    updated_by: OWNER,
    ...(!usable && { browse_only: true }),
  };
}

function aliasesOf(model: Model): object[] {
  return [...model.aliases].map(([name, version]) => ({ alias_name: name, version_num: version }));
}
