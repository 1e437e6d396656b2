import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { TOKEN_PATH } from '../../protocol/token-exchange.ts';
import { callerOf } from '../audit/caller.ts';
import type { RefusedTokens } from '../audit/refused-tokens.ts';
import { storeNowMs } from '../changes/change.ts';
import type { LiveCore } from '../core.ts';
import { type CallerLimits, TooManyRequests } from '../http/limits.ts';
import type { Metrics } from '../http/metrics.ts';
import { toProblem } from '../http/problems.ts';
import { openSession } from './sessions.ts';
import type { SubjectTokenVerifier } from './subject-token.ts';

/** What the endpoint needs. */
export interface TokenEndpointParts {
  readonly core: LiveCore;
  readonly redactor: Redactor;
  readonly metrics: Metrics;
  readonly refusedTokens: RefusedTokens;
  readonly limits: Pick<CallerLimits, 'count'>;
  /** Undefined where no workloads are configured. */
  readonly verifier: SubjectTokenVerifier | undefined;
}

const FORM = 'application/x-www-form-urlencoded';

const BODY_LIMIT_BYTES = 32 * 1024;

/** A token exchange (RFC 8693 §2.1) as far as it is taken here. */
const Exchange = z.object({
  grant_type: z.literal('urn:ietf:params:oauth:grant-type:token-exchange'),
  subject_token: z.string().check(z.minLength(1)),
  subject_token_type: z.enum([
    'urn:ietf:params:oauth:token-type:jwt',
    'urn:ietf:params:oauth:token-type:id_token',
  ]),
  requested_token_type: z.optional(z.literal('urn:ietf:params:oauth:token-type:access_token')),
});

/** Adds the endpoint where a workload exchanges its own token for one that opens the control plane (RFC 8693). */
export function addTokenEndpoint(app: FastifyInstance, parts: TokenEndpointParts): void {
  void app.register((scope, _options, done) => {
    scope.addContentTypeParser(
      FORM,
      { parseAs: 'string', bodyLimit: BODY_LIMIT_BYTES },
      (_request, body, parsed) => {
        parsed(null, Object.fromEntries(new URLSearchParams(String(body))));
      },
    );
    scope.setErrorHandler((error, request, reply) => refuse(parts, request, reply, error));
    scope.post(TOKEN_PATH, async (request, reply) => {
      const { core, metrics } = parts;
      const form = Exchange.safeParse(request.body);
      if (!form.success) {
        throw new ExchangeRefused(
          'invalid_request',
          'Send a token exchange as a form (RFC 8693), with a JWT as its subject token.',
        );
      }
      if (parts.verifier === undefined) {
        throw new ExchangeRefused(
          'invalid_request',
          'This control plane takes no workloads. Ask its administrator to configure them.',
        );
      }
      const nowMs = await storeNowMs(core.db);
      const workload = await parts.verifier.verify(form.data.subject_token, nowMs);
      await parts.limits.count(workload);
      const session = await openSession(core, workload);
      metrics.count('oam_workload_tokens_total', { issuer: workload.workload?.issuer ?? 'unknown' });
      return reply
        .code(200)
        .headers(NEVER_KEPT)
        .send({
          access_token: session.accessToken,
          issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          token_type: 'Bearer',
          expires_in: Math.floor((session.expiresAtMs - nowMs) / SECOND_MS),
        });
    });
    done();
  });
}

const NEVER_KEPT = { 'cache-control': 'no-store', pragma: 'no-cache' } as const;

/** A refusal in OAuth's own words (RFC 6749 §5.2). */
class ExchangeRefused extends OamError {}

const FrameworkError = z.object({ statusCode: z.int() });

async function refuse(
  parts: TokenEndpointParts,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): Promise<FastifyReply> {
  const { core, redactor } = parts;
  const answer = (status: number, code: string, sentence: string): FastifyReply =>
    reply
      .code(status)
      .headers(NEVER_KEPT)
      .send({ error: code, error_description: redactor.redact(sentence) });
  if (error instanceof ExchangeRefused) return answer(400, error.code, error.sentence);
  if (error instanceof OamError && error.code === 'subject_token_refused') {
    parts.metrics.count('oam_refusals_total', { code: error.code });
    core.logger.info('A workload was refused.', { reason: redactor.redact(error.message) });
    await parts.refusedTokens.note({
      ...{ code: error.code, door: 'exchangeToken', caller: callerOf(request) },
    });
    return answer(400, 'invalid_grant', error.message);
  }
  if (error instanceof TooManyRequests) {
    void reply.header('retry-after', error.retryAfterSeconds);
    return answer(429, 'temporarily_unavailable', error.sentence);
  }
  if (error instanceof OamError && error.code === 'issuer_unavailable') {
    return answer(503, 'temporarily_unavailable', error.message);
  }
  const status = FrameworkError.safeParse(error).data?.statusCode;
  if (!(error instanceof OamError) && status !== undefined && status < 500) {
    return answer(
      status === 413 ? 413 : 400,
      'invalid_request',
      'Send a token exchange as a form (RFC 8693).',
    );
  }
  const problem = toProblem(error, redactor);
  if (problem.code === 'internal') {
    core.logger.error('A token exchange failed.', {
      reason: redactor.redact(error instanceof Error ? (error.stack ?? error.message) : 'unknown'),
    });
  }
  return answer(problem.status, 'server_error', problem.detail);
}
