import type { IncomingHttpHeaders } from 'node:http';

/** Where a call came from, as far as can be seen. Nobody vouches for it. */
export interface Caller {
  /** The address of the other end of the connection: a proxy's, where one stands in front. */
  readonly address: string;
  readonly userAgent: string | undefined;
}

/** The longest text of a client's that goes into a row. */
export const MAX_TEXT = 200;

/** Where a request came from. */
export function callerOf(request: { readonly ip: string; readonly headers: IncomingHttpHeaders }): Caller {
  return { address: request.ip, userAgent: request.headers['user-agent']?.slice(0, MAX_TEXT) };
}
