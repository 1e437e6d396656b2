import * as z from 'zod/mini';

import { nameOf } from '../account/directory.ts';
import { invalidParameter, permissionDenied } from '../http/failures.ts';
import { type AuthenticatedCall, pageOf, parseBody, type Route, wholeNumber } from '../http/router.ts';
import { ok } from '../http/reply.ts';
import type { JobRow } from '../seed/assets.ts';
import type { Workspace } from '../world.ts';

/** How long a run of the stand-in takes, in milliseconds. */
const RUN_MS = 20_000;

/** Jobs and their runs, in both versions of the API that clients use. */
export function jobRoutes(workspace: Workspace): Route[] {
  return ['/api/2.2/jobs', '/api/2.1/jobs'].flatMap((base) => routesUnder(workspace, base));
}

function routesUnder({ assets, rights, world }: Workspace, base: string): Route[] {
  const sees = (call: AuthenticatedCall, job: JobRow): boolean =>
    rights.allows(call.caller, 'jobs', String(job.id), 'CAN_VIEW');

  const reach = (call: AuthenticatedCall, id: number, wanted: 'CAN_VIEW' | 'CAN_MANAGE_RUN'): JobRow => {
    const job = assets.jobs.find((each) => each.id === id);
    // A 400, not a 404: that is how this area says it.
    if (job === undefined) throw invalidParameter(`Job ${id} does not exist.`);
    if (!rights.allows(call.caller, 'jobs', String(id), wanted)) {
      const verb = wanted === 'CAN_VIEW' ? 'View' : 'Manage Run';
      throw permissionDenied(
        `User ${nameOf(call.caller)} does not have ${verb} permissions on job ${id}. Please contact the owner or an administrator for access.`,
      );
    }
    return job;
  };

  const runOf = (job: JobRow, run: JobRow['runs'][number]): object => {
    const done = world.clock.nowMs() >= run.startedAtMs + RUN_MS;
    return {
      job_id: job.id,
      run_id: run.id,
      run_name: job.name,
      creator_user_name: job.creator,
      start_time: run.startedAtMs,
      ...(done && { end_time: run.startedAtMs + RUN_MS }),
      state: done
        ? { life_cycle_state: 'TERMINATED', result_state: 'SUCCESS', state_message: '' }
        : { life_cycle_state: 'RUNNING', state_message: 'In run' },
    };
  };

  return [
    {
      method: 'GET',
      path: `${base}/list`,
      handle: (call) => {
        const name = call.query.get('name')?.toLowerCase();
        const seen = assets.jobs.filter(
          (job) => sees(call, job) && (name === undefined || job.name.toLowerCase() === name),
        );
        const limit = wholeNumber(call.query, 'limit', { min: 1, max: 100, otherwise: 20 });
        const { rows, next } = pageOf(seen, call.query.get('page_token'), limit);
        return ok({
          ...(rows.length > 0 && { jobs: rows.map(shown) }),
          has_more: next !== undefined,
          ...(next !== undefined && { next_page_token: next }),
        });
      },
    },
    {
      method: 'GET',
      path: `${base}/get`,
      handle: (call) => ok(shown(reach(call, Number(call.query.get('job_id')), 'CAN_VIEW'))),
    },
    {
      method: 'POST',
      path: `${base}/run-now`,
      handle: (call) => {
        const { job_id: id } = parseBody(z.object({ job_id: z.int() }), call);
        const job = reach(call, id, 'CAN_MANAGE_RUN');
        const run = { id: job.id * 100 + job.runs.length, startedAtMs: world.clock.nowMs() };
        job.runs.push(run);
        return ok({ run_id: run.id, number_in_job: run.id });
      },
    },
    {
      method: 'GET',
      path: `${base}/runs/get`,
      handle: (call) => {
        const id = Number(call.query.get('run_id'));
        for (const job of assets.jobs) {
          const run = job.runs.find((each) => each.id === id);
          if (run !== undefined) return ok(runOf(reach(call, job.id, 'CAN_VIEW'), run));
        }
        throw invalidParameter(`Run ${id} does not exist.`);
      },
    },
    {
      method: 'GET',
      path: `${base}/runs/list`,
      handle: (call) => {
        const jobId = call.query.get('job_id');
        const runs = assets.jobs
          .filter((job) => sees(call, job) && (jobId === null || String(job.id) === jobId))
          .flatMap((job) => job.runs.map((run) => runOf(job, run)));
        const limit = wholeNumber(call.query, 'limit', { min: 0, max: 25, otherwise: 20 });
        const { rows, next } = pageOf(runs, call.query.get('page_token'), limit === 0 ? 25 : limit);
        return ok({
          runs: rows,
          has_more: next !== undefined,
          ...(next !== undefined && { next_page_token: next }),
        });
      },
    },
  ];
}

function shown(job: JobRow): object {
  return {
    job_id: job.id,
    creator_user_name: job.creator,
    created_time: job.createdAtMs,
    settings: {
      name: job.name,
      max_concurrent_runs: 1,
      format: 'MULTI_TASK',
      timeout_seconds: 0,
    },
  };
}
