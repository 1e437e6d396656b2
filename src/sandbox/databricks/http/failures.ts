import { randomUUID } from 'node:crypto';

import type { Reply } from './reply.ts';

/** A refusal in one of Databricks' own forms. */
export class ApiFailure extends Error {
  readonly reply: Reply;

  constructor(message: string, reply: Reply) {
    super(message);
    this.reply = reply;
  }
}

/** API 2.x: `error_code`, `message`, `details` with the request's id. */
export function apiFailure(status: number, errorCode: string | number, message: string): ApiFailure {
  const requestId = randomUUID();
  return new ApiFailure(message, {
    status,
    headers: { 'x-request-id': requestId },
    body: {
      error_code: errorCode,
      message,
      details: [{ '@type': 'type.googleapis.com/google.rpc.RequestInfo', request_id: requestId }],
    },
  });
}

/** SCIM: `schemas`, `detail`, `status`, `scimType`. */
export function scimFailure(status: number, detail: string, scimType?: string): ApiFailure {
  return new ApiFailure(detail, {
    status,
    contentType: 'application/scim+json',
    body: {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
      detail,
      status: String(status),
      ...(scimType !== undefined && { scimType }),
    },
  });
}

/** OAuth: `error`, `error_description`. */
export function oauthFailure(error: string, description: string, status = 400): ApiFailure {
  return new ApiFailure(description, {
    status,
    body: { error, error_description: description },
    headers: { 'cache-control': 'no-store' },
  });
}

/** 403 as most areas say it. */
export function permissionDenied(message: string): ApiFailure {
  return apiFailure(403, 'PERMISSION_DENIED', message);
}

/** 404 as most areas say it. */
export function doesNotExist(message: string): ApiFailure {
  return apiFailure(404, 'RESOURCE_DOES_NOT_EXIST', message);
}

/** 400 as most areas say it, also for things that do not exist in the clusters and jobs areas. */
export function invalidParameter(message: string): ApiFailure {
  return apiFailure(400, 'INVALID_PARAMETER_VALUE', message);
}

/** An ended, revoked or unknown token: 403 and a number for a code, as Databricks has it. */
export function invalidAccessToken(): ApiFailure {
  const requestId = randomUUID();
  const message = `Invalid access token. [ReqId: ${requestId}]`;
  return new ApiFailure(message, {
    status: 403,
    headers: { 'x-request-id': requestId, 'x-databricks-reason-phrase': 'Invalid access token.' },
    body: { error_code: 403, message },
  });
}

/** No token at all. */
export function credentialNotSent(): ApiFailure {
  const requestId = randomUUID();
  const message = `Credential was not sent or was of an unsupported type for this API. [ReqId: ${requestId}]`;
  return new ApiFailure(message, {
    status: 401,
    headers: { 'x-request-id': requestId, 'www-authenticate': 'Bearer realm="DatabricksRealm"' },
    body: { error_code: 401, message },
  });
}
