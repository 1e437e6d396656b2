import * as z from 'zod/mini';

import { nameOf } from '../account/directory.ts';
import { doesNotExist, invalidParameter, permissionDenied } from '../http/failures.ts';
import { type AuthenticatedCall, pageOf, parseBody, type Route } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import type { ExperimentRow } from '../seed/assets.ts';
import type { Workspace } from '../world.ts';

const BASE = '/api/2.0/mlflow/experiments';

const Search = z.object({
  filter: z.optional(z.string()),
  max_results: z.optional(z.int().check(z.positive(), z.maximum(50_000))),
  page_token: z.optional(z.string()),
  view_type: z.optional(z.enum(['ACTIVE_ONLY', 'DELETED_ONLY', 'ALL'])),
});

/** MLflow experiments: search and read. */
export function experimentRoutes({ assets, rights }: Workspace): Route[] {
  const reach = (
    call: AuthenticatedCall,
    experiment: ExperimentRow | undefined,
    what: string,
  ): ExperimentRow => {
    if (experiment === undefined) throw doesNotExist(`Node ${what} does not exist.`);
    if (!rights.allows(call.caller, 'experiments', experiment.id, 'CAN_READ')) {
      throw permissionDenied(
        `${nameOf(call.caller)} does not have View permissions on experiment ${experiment.id}. Please contact the owner or an administrator for access.`,
      );
    }
    return experiment;
  };
  return [
    {
      method: 'POST',
      path: `${BASE}/search`,
      rate: 'mlflow-search',
      handle: (call) => {
        const body = parseBody(Search, call);
        const matches = filterOf(body.filter);
        const seen = assets.experiments.filter(
          (experiment) =>
            body.view_type !== 'DELETED_ONLY' &&
            matches(experiment) &&
            rights.allows(call.caller, 'experiments', experiment.id, 'CAN_READ'),
        );
        const { rows, next } = pageOf(seen, body.page_token, Math.min(body.max_results ?? 25, 1_000));
        return ok({
          ...(rows.length > 0 && { experiments: rows.map(shown) }),
          ...(next !== undefined && { next_page_token: next }),
        });
      },
    },
    {
      method: 'GET',
      path: `${BASE}/get`,
      handle: (call) => {
        const id = call.query.get('experiment_id') ?? '';
        const found = assets.experiments.find((experiment) => experiment.id === id);
        return ok({ experiment: shown(reach(call, found, `ID ${id}`)) });
      },
    },
    {
      method: 'GET',
      path: `${BASE}/get-by-name`,
      handle: (call) => {
        const name = call.query.get('experiment_name') ?? '';
        const found = assets.experiments.find((experiment) => experiment.name === name);
        return ok({ experiment: shown(reach(call, found, name)) });
      },
    },
  ];
}

/** `name LIKE '…%'` and `name = '…'`; anything else is refused, never ignored. */
function filterOf(filter: string | undefined): (experiment: ExperimentRow) => boolean {
  if (filter === undefined || filter.trim() === '') return () => true;
  const match = /^\s*(?:attribute\.)?name\s+(I?LIKE|=)\s+'([^']*)'\s*$/i.exec(filter.replace('=', ' = '));
  const [, operator, pattern] = match ?? [];
  if (operator === undefined || pattern === undefined) throw invalidParameter(`Invalid filter: ${filter}`);
  if (operator === '=') return (experiment) => experiment.name === pattern;
  const source = pattern
    .split('%')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  const like = new RegExp(`^${source}$`, operator.toUpperCase() === 'ILIKE' ? 'i' : '');
  return (experiment) => like.test(experiment.name);
}

function shown(experiment: ExperimentRow): object {
  return {
    experiment_id: experiment.id,
    name: experiment.name,
    artifact_location: `dbfs:/databricks/mlflow-tracking/${experiment.id}`,
    lifecycle_stage: 'active',
    creation_time: experiment.createdAtMs,
    last_update_time: experiment.updatedAtMs,
  };
}
