import * as z from 'zod/mini';

import type { Principal } from '../account/directory.ts';
import { PRIVILEGES, type Securable } from '../account/securables.ts';
import { doesNotExist, invalidParameter, permissionDenied } from '../http/failures.ts';
import { type Call, pageOf, param, parseBody, type Route, wholeNumber } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import { SEED } from '../seed/identities.ts';
import type { World } from '../world.ts';
import { modelRoutes } from './models.ts';
import { label, visible } from './visibility.ts';

const BASE = '/api/2.1/unity-catalog';
const OWNER = SEED.servicePrincipals.admin.applicationId;

/** The page length that `max_results=0` stands for, and the smallest that may be asked for by number. */
const PRIVILEGE_PAGE = 200;
const SMALLEST_PRIVILEGE_PAGE = 150;

/** Unity Catalog: catalogs, schemas, models, and rights on them. */
export function unityCatalogRoutes(world: World): Route[] {
  const { securables } = world;
  return [
    {
      method: 'GET',
      path: `${BASE}/metastore_summary`,
      handle: () =>
        ok({ metastore_id: SEED.metastoreId, name: 'ml-metastore', cloud: 'aws', region: 'eu-west-1' }),
    },
    {
      method: 'GET',
      path: `${BASE}/catalogs`,
      handle: (call) => {
        const seen = securables.ofType('catalog').filter((catalog) => securables.sees(call.caller, catalog));
        return ok({ catalogs: seen.map(catalogOf) });
      },
    },
    {
      method: 'GET',
      path: `${BASE}/catalogs/{name}`,
      handle: (call) => ok(catalogOf(visible(world, call.caller, 'catalog', param(call, 'name')))),
    },
    {
      method: 'GET',
      path: `${BASE}/schemas`,
      handle: (call) => {
        const catalog = visible(world, call.caller, 'catalog', call.query.get('catalog_name') ?? '');
        const inside = securables
          .ofType('schema')
          .filter((schema) => schema.parent === catalog && securables.sees(call.caller, schema));
        return ok({ schemas: inside.map(schemaOf) });
      },
    },
    ...modelRoutes(world, BASE),
    {
      method: 'GET',
      path: `${BASE}/effective-permissions/{type}/{name}`,
      handle: (call) => {
        const securable = visible(world, call.caller, param(call, 'type'), param(call, 'name'));
        const { rows, next } = assignmentPage(
          world,
          securable,
          call,
          call.caller,
          securables.effective(securable),
        );
        return ok({
          privilege_assignments: rows.map(({ principal, held }) => ({
            principal,
            privileges: held.map(({ privilege, from }) => ({
              privilege,
              ...(from !== securable && {
                inherited_from_type: from.type.toUpperCase(),
                inherited_from_name: from.fullName,
              }),
            })),
          })),
          ...(next !== undefined && { next_page_token: next }),
        });
      },
    },
    {
      method: 'GET',
      path: `${BASE}/permissions/{type}/{name}`,
      handle: (call) => {
        const securable = visible(world, call.caller, param(call, 'type'), param(call, 'name'));
        const direct = securables.effective(securable).filter(({ from }) => from === securable);
        const { rows, next } = assignmentPage(world, securable, call, call.caller, direct);
        return ok({
          privilege_assignments: rows.map(({ principal, held }) => ({
            principal,
            privileges: held.map(({ privilege }) => privilege),
          })),
          ...(next !== undefined && { next_page_token: next }),
        });
      },
    },
    {
      method: 'PATCH',
      path: `${BASE}/permissions/{type}/{name}`,
      handle: (call) => {
        const securable = visible(world, call.caller, param(call, 'type'), param(call, 'name'));
        if (!securables.manages(call.caller, securable)) {
          throw permissionDenied(`User does not have MANAGE on ${label(securable)}.`);
        }
        const { changes } = parseBody(Changes, call);
        for (const change of changes) checkChange(world, securable, change);
        for (const { principal, add = [], remove = [] } of changes) {
          const privileges = new Set(securable.grants.get(principal));
          for (const privilege of add) privileges.add(privilege);
          for (const privilege of remove) privileges.delete(privilege);
          if (privileges.size === 0) securable.grants.delete(principal);
          else securable.grants.set(principal, privileges);
        }
        return ok({
          privilege_assignments: [...securable.grants].map(([principal, privileges]) => ({
            principal,
            privileges: [...privileges],
          })),
        });
      },
    },
  ];
}

const Changes = z.object({
  changes: z.array(
    z.object({
      principal: z.string(),
      add: z.optional(z.array(z.string())),
      remove: z.optional(z.array(z.string())),
    }),
  ),
});

function checkChange(
  world: World,
  securable: Securable,
  change: z.infer<typeof Changes>['changes'][number],
): void {
  const { directory } = world;
  const known =
    directory.userByName(change.principal) ??
    directory.servicePrincipalByApplicationId(change.principal) ??
    directory.groupByName(change.principal);
  if (known === undefined && change.principal !== 'account users') {
    throw doesNotExist(`Could not find principal with name ${change.principal}`);
  }
  for (const privilege of [...(change.add ?? []), ...(change.remove ?? [])]) {
    if (!PRIVILEGES[securable.type].has(privilege)) {
      throw invalidParameter(
        `Privilege ${privilege} is not applicable to this entity [${label(securable)}].`,
      );
    }
  }
}

interface Held {
  readonly principal: string;
  readonly privilege: string;
  readonly from: Securable;
}

/**
 * A page of privileges by principal. Who manages the securable sees everybody's; others see what was given to
 * themselves and to their groups, each under the name it was given to.
 */
function assignmentPage(
  world: World,
  securable: Securable,
  call: Call,
  caller: Principal,
  held: readonly Held[],
) {
  const asked = wholeNumber(call.query, 'max_results', { min: 0, max: PRIVILEGE_PAGE, otherwise: 0 });
  if (asked > 0 && asked < SMALLEST_PRIVILEGE_PAGE) {
    throw invalidParameter(`max_results must be 0 or at least ${SMALLEST_PRIVILEGE_PAGE}.`);
  }
  const principal = call.query.get('principal');
  const ownNames = world.directory.namesOf(caller);
  const seesAll = world.securables.manages(caller, securable);
  if (!seesAll && principal !== null && !ownNames.has(principal)) {
    throw permissionDenied(`User does not have MANAGE on ${label(securable)}.`);
  }
  const byPrincipal = Map.groupBy(
    held.filter((each) =>
      principal === null ? seesAll || ownNames.has(each.principal) : each.principal === principal,
    ),
    (each) => each.principal,
  );
  const assignments = [...byPrincipal].map(([name, privileges]) => ({ principal: name, held: privileges }));
  return pageOf(assignments, call.query.get('page_token'), PRIVILEGE_PAGE);
}

function catalogOf(securable: Securable): object {
  return {
    name: securable.fullName,
    full_name: securable.fullName,
    owner: securable.owner,
    metastore_id: SEED.metastoreId,
    catalog_type: 'MANAGED_CATALOG',
    securable_type: 'CATALOG',
    created_by: OWNER,
  };
}

function schemaOf(securable: Securable): object {
  const [catalog = '', name = ''] = securable.fullName.split('.');
  return {
    name,
    catalog_name: catalog,
    full_name: securable.fullName,
    owner: securable.owner,
    metastore_id: SEED.metastoreId,
    created_by: OWNER,
  };
}
