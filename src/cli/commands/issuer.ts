import { OamError } from '../../domain/errors.ts';
import type { EpochMs } from '../../domain/time.ts';
import type { IssuerView, SigningKeyView } from '../../protocol/issuer.ts';
import type { Connection } from '../connection/connect.ts';
import { describeMoment } from '../duration.ts';
import { UsageError } from '../failure.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { table } from '../table.ts';

/** `oam issuer show`: the keys that OAM signs with. */
export async function showIssuer(
  flags: CommonFlags,
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const issuer = await connection.client.call('getIssuer', { signal: invocation.signals.stop });
  answerIssuer(issuer, flags, invocation);
}

/** `oam issuer policy`: the federation policy to register for a role's service principal, as JSON. */
export async function showFederationPolicy(
  roleId: string,
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const { policies } = await connection.client.call('getIssuer', { signal: invocation.signals.stop });
  const found = policies.find((policy) => policy.roleId === roleId);
  if (found === undefined) {
    throw new OamError(
      'unknown_role',
      'There is no federated role of this name. The names are in: oam roles',
      { detail: roleId },
    );
  }
  invocation.answer(JSON.stringify(found.policy, undefined, 2));
  invocation.note(
    `Register it for the service principal ${found.servicePrincipal.id} (${found.servicePrincipal.applicationId}), never for the account.`,
  );
}

/** `oam issuer rotate` */
export async function rotateIssuer(
  flags: CommonFlags & {
    readonly reason: string;
    readonly policiesUpdated?: true;
    readonly compromised?: true;
  },
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  if (flags.policiesUpdated === true && flags.compromised === true) {
    throw new UsageError('Give one of --policies-updated and --compromised.');
  }
  await connection.signedIn();
  const step = flags.compromised === true ? 'replace' : flags.policiesUpdated === true ? 'complete' : 'begin';
  const issuer = await connection.client.call('rotateKeys', { body: { step, reason: flags.reason } });
  answerIssuer(issuer, flags, invocation);
  if (issuer.policyKeys === 'jwks_json' && step !== 'complete') {
    invocation.note(
      'The federation policies hold copies of the keys. Set them anew with what this prints: oam issuer policy <role>',
    );
    if (step === 'begin') invocation.note('Then: oam issuer rotate --policies-updated --reason …');
  }
}

function answerIssuer(issuer: IssuerView, flags: CommonFlags, invocation: Invocation): void {
  if (flags.json) {
    invocation.answer(JSON.stringify(issuer));
    return;
  }
  const now = invocation.clock.nowMs();
  const rows = issuer.keys.map((key) => [key.kid, key.state, describeKey(key, now)]);
  for (const line of table(['key', 'state', ''], rows)) invocation.answer(line);
}

function describeKey(key: SigningKeyView, now: EpochMs): string {
  const moment = (at: string | null): string => (at === null ? '' : describeMoment(Date.parse(at), now));
  switch (key.state) {
    case 'current':
      return `signs since ${moment(key.activatedAt)}`;
    case 'next':
      return key.activatesAt === null
        ? 'signs once the federation policies have it'
        : `signs from ${moment(key.activatesAt)}`;
    case 'retired':
      return `published until ${moment(key.publishedUntil)}`;
  }
}
