/** Where a workload exchanges the token of its own issuer for one that opens the control plane (RFC 8693). */
export const TOKEN_PATH = '/api/v1/token';
