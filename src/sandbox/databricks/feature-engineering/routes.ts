import { pageOf, type Route, wholeNumber } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import type { World } from '../world.ts';

const LONGEST_PAGE = 100;

/** The features of Unity Catalog that the caller may see the table of. */
export function featureRoutes({ accountAssets, securables }: World): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/2.0/feature-engineering/features',
      handle: (call) => {
        const seen = accountAssets.features.filter(({ table }) => {
          const securable = securables.find('table', table);
          return securable !== undefined && securables.sees(call.caller, securable);
        });
        const size = wholeNumber(call.query, 'page_size', { min: 1, max: LONGEST_PAGE, otherwise: 20 });
        const { rows, next } = pageOf(seen, call.query.get('page_token'), size);
        return ok({
          features: rows.map(({ fullName, description, table }) => ({
            full_name: fullName,
            description,
            source: { delta_table_source: { full_name: table, entity_columns: ['user_id'] } },
          })),
          ...(next !== undefined && { next_page_token: next }),
        });
      },
    },
  ];
}
