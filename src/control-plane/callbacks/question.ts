import type { Principal } from '../../domain/principal.ts';
import type { Redactor } from '../../domain/redaction.ts';
import type { Role } from '../../domain/role.ts';
import type { EpochMs } from '../../domain/time.ts';

/** What callbacks are asked about. */
export interface Inquiry {
  /** The id that the request has, or will have if it comes to be: the same each time it is asked about. */
  readonly requestId: string;
  readonly requester: Pick<Principal, 'iss' | 'sub' | 'userName' | 'displayName' | 'workload'>;
  readonly role: Pick<Role, 'id' | 'title' | 'team' | 'workspace' | 'sensitivity'>;
  readonly wish: {
    readonly purpose: string;
    readonly ticket: string | undefined;
    readonly minutes: number;
    readonly startsAtMs: EpochMs | undefined;
    readonly extension: { readonly grantId: string } | undefined;
    readonly breakGlass: boolean;
  };
}

/** The question as it travels: enough to judge ticket and purpose by, and nothing that opens a door. */
export function questionOf(
  { requestId, requester, role, wish }: Inquiry,
  nowMs: EpochMs,
  redactor: Redactor,
): object {
  return {
    type: 'access.verify',
    timestamp: new Date(nowMs).toISOString(),
    data: {
      requestId,
      requester: {
        kind: requester.workload === undefined ? 'person' : 'workload',
        issuer: requester.iss,
        subject: requester.sub,
        userName: requester.userName,
        displayName: requester.displayName,
      },
      role: {
        id: role.id,
        title: role.title,
        team: role.team,
        workspace: role.workspace,
        sensitivity: role.sensitivity,
      },
      // People paste tokens into texts.
      purpose: redactor.redact(wish.purpose),
      ticket: wish.ticket === undefined ? null : redactor.redact(wish.ticket),
      minutes: wish.minutes,
      startsAt: wish.startsAtMs === undefined ? null : new Date(wish.startsAtMs).toISOString(),
      extends: wish.extension?.grantId ?? null,
      breakGlass: wish.breakGlass,
    },
  };
}
