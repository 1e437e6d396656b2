import { minutesToMs } from '../../domain/time.ts';
import type { ExplanationView } from '../../protocol/explanation.ts';
import type { RequestView } from '../../protocol/schemas.ts';
import type { Connection } from '../connection/connect.ts';
import { describeDuration, describeMoment } from '../duration.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { oneLine } from '../table.ts';

/**
 * `oam policy explain --request`: why a request was decided as it was, by what was stored with it, and what the policy
 * that serves now would say.
 */
export async function explainStoredRequest(
  id: string,
  flags: CommonFlags,
  connection: Pick<Connection, 'client' | 'signedIn'>,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const options = { params: { id }, signal: invocation.signals.stop };
  const request = await connection.client.call('getRequest', options);
  const explanation = await connection.client.call('explainRequest', options);
  if (flags.json) {
    invocation.answer(JSON.stringify(explanation));
    return;
  }
  const lines = [
    ...storedLines(request, explanation, invocation.clock.nowMs()),
    ...presentLines(explanation),
  ];
  for (const line of lines) invocation.answer(oneLine(line));
}

const SAID = {
  granted_at_once: 'at once',
  needs_approval: 'with approval',
  refused: 'refused',
  unknown: 'cannot be said',
} as const satisfies Record<ExplanationView['now']['decision'], string>;

function storedLines(
  request: RequestView,
  { roleId, minutes, state, then }: ExplanationView,
  nowMs: number,
): string[] {
  const who = request.requester.displayName;
  const asked = describeMoment(Date.parse(then.askedAt), nowMs);
  return [
    `${roleId} for ${describeDuration(minutesToMs(minutes))}, asked by ${who}, ${asked}: ${SAID[then.decision]}`,
    ...then.because.map((why) => `  ${why}`),
    `  by policy version ${then.policyVersion}`,
    ...request.approvals.map(
      ({ approver, onBehalfOf, verdict, comment }) =>
        `  ${verdict} by ${approver.displayName}${onBehalfOf === null ? '' : ` for ${onBehalfOf.displayName}`}` +
        (comment === null ? '' : `: ${comment}`),
    ),
    `  and is ${state}`,
  ];
}

function presentLines({ then, now }: ExplanationView): string[] {
  const version =
    now.policyVersion === then.policyVersion
      ? 'by the same policy version'
      : `by policy version ${now.policyVersion}`;
  return [
    `Asked now: ${SAID[now.decision]}`,
    ...now.because.map((why) => `  ${why}`),
    ...(now.rules.length === 0 ? [] : [`  by ${now.rules.join(', ')}`]),
    ...(now.nearest === null
      ? []
      : [`  ${now.nearest.rule} asks for more:`, ...now.nearest.unmet.map((what) => `  - ${what}`)]),
    `  ${version}`,
  ];
}
