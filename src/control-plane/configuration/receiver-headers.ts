import type { Redactor } from '../../domain/redaction.ts';
import { OamError } from '../../domain/errors.ts';
import { secretFromEnvironment } from './secret.ts';

const HEADER = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(\S.*?)\s*$/;

/**
 * Headers out of an environment variable, written as OpenTelemetry writes them: `name=value,other=value`, the values
 * percent-encoded where they hold a comma. Their values are secrets from here on.
 *
 * @throws {OamError} `secret_missing`, `headers_invalid`.
 */
export function receiverHeaders(name: string | undefined, redactor: Redactor): Record<string, string> {
  if (name === undefined) return {};
  const headers: Record<string, string> = {};
  for (const part of secretFromEnvironment(name).split(',')) {
    const [, header, value] = HEADER.exec(part) ?? [];
    const decoded = value === undefined ? undefined : decode(value);
    if (header === undefined || decoded === undefined) {
      throw new OamError(
        'headers_invalid',
        'An environment variable with headers is not of the form name=value,other=value. Correct it and start again.',
        { detail: name },
      );
    }
    redactor.register(decoded);
    headers[header.toLowerCase()] = decoded;
  }
  return headers;
}

function decode(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
