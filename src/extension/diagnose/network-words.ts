import { OamError } from '../../domain/errors.ts';
import type { Localise } from '../localise.ts';

const UNTRUSTED_CERTIFICATE = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** What a failure of the network means in plain words; undefined where it is something else. */
export function networkWords(l10n: Localise, error: unknown): string | undefined {
  const code = networkCode(error);
  if (code === undefined) return undefined;
  if (UNTRUSTED_CERTIFICATE.has(code)) {
    return l10n.t(
      "The server's certificate comes from an authority that this machine does not know. If your company has its own, let your IT install it on this machine, and keep VS Code's setting 'http.systemCertificates' on.",
    );
  }
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return l10n.t(
        "The server's certificate has expired, or this machine's clock is wrong. Tell your platform team.",
      );
    case 'CERT_NOT_YET_VALID':
      return l10n.t(
        "The server's certificate is not valid yet, or this machine's clock is wrong. Check the clock.",
      );
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return l10n.t(
        "The server's certificate is for another name. Check the address; somebody may be in between.",
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return l10n.t('The name of the server is not known here. Check the address, and your VPN.');
    case 'ECONNREFUSED':
      return l10n.t('Nobody listens at this address. Check it, your VPN and your proxy.');
    case 'ECONNRESET':
    case 'EPIPE':
      return l10n.t('The connection was cut. A firewall or a proxy may stand in between.');
    case 'timed_out':
    case 'ETIMEDOUT':
      return l10n.t('Nobody answered in time. Check your VPN and your proxy.');
    default:
      return undefined;
  }
}

/** The network's own code for a failure, from wherever in its causes it stands. */
export function networkCode(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at instanceof OamError) {
      if (at.code === 'timed_out') return at.code;
      continue;
    }
    if ('code' in at && typeof at.code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(at.code)) return at.code;
  }
  return undefined;
}
