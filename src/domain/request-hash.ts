import { canonicalJson, sha256Hex } from './canonical.ts';
import { type Evidence, evidenceSubstance } from './evidence.ts';
import type { PrincipalKey } from './principal.ts';
import type { Role } from './role.ts';
import { roleText } from './role-text.ts';
import type { EpochMs } from './time.ts';

/** What an approver's word is bound to. */
export interface RequestSubstance {
  readonly requester: PrincipalKey;
  readonly role: Role;
  readonly policyVersion: string;
  /** The most that can be approved; a lowered window stays outside the hash. */
  readonly minutes: number;
  /** When access is to begin, where not at once. */
  readonly startsAtMs: EpochMs | undefined;
  readonly purpose: string;
  readonly ticket: string | undefined;
  readonly codeContext: Readonly<Record<string, string | undefined>> | undefined;
  /** The grant that would last longer, where the request is for that. */
  readonly extendsGrantId: string | undefined;
  readonly breakGlass: boolean;
  /** What callbacks said of ticket and purpose; empty where none was asked. */
  readonly evidence: readonly Evidence[];
}

/** The content of a role as one hash: a role whose row of the catalogue changed in anything is another role. */
export function roleHash(role: Role): string {
  return sha256Hex(roleText(role));
}

/** The hash of everything that an approver judges. It changes if anything of it does. */
export function requestHash(substance: RequestSubstance): string {
  return sha256Hex(
    canonicalJson({
      requester: { iss: substance.requester.iss, sub: substance.requester.sub },
      role: substance.role.id,
      roleHash: roleHash(substance.role),
      policyVersion: substance.policyVersion,
      minutes: substance.minutes,
      startsAtMs: substance.startsAtMs,
      purpose: substance.purpose,
      ticket: substance.ticket,
      codeContext: substance.codeContext && { ...substance.codeContext },
      extends: substance.extendsGrantId,
      // Left out where it is not so, as before there were emergencies and callbacks.
      breakGlass: substance.breakGlass || undefined,
      evidence: substance.evidence.length === 0 ? undefined : evidenceSubstance(substance.evidence),
    }),
  );
}
