import assert from 'node:assert/strict';

import * as z from 'zod/mini';

import type { HttpRequest } from '../../../../src/protocol/transport.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { DIRECTORY_TOKEN, type Name, type World } from '../world.ts';

export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const TEAM = 'urn:ietf:params:scim:schemas:core:2.0:Group';
export const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

const Resource = z.looseObject({ id: z.string() });

/** A call of the company's directory, and what it is answered. */
export async function scim(
  world: Pick<World, 'http'>,
  method: HttpRequest['method'],
  path: string,
  body?: unknown,
  token = DIRECTORY_TOKEN,
): Promise<{ status: number; body: unknown }> {
  const { status, text } = await world.http({
    method,
    path: `/api/v1/scim/v2${path}`,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status, body: text === '' ? undefined : JSON.parse(text) };
}

/** Pushes something new, and gives its id. */
export async function push(world: Pick<World, 'http'>, path: string, resource: object): Promise<string> {
  const { status, body } = await scim(world, 'POST', path, resource);
  assert.equal(status, 201, JSON.stringify(body));
  return Resource.parse(body).id;
}

/** Pushes one of the people, who is active unless it is said otherwise, and gives the id. */
export function pushPerson(world: Pick<World, 'http'>, name: Name, more: object = {}): Promise<string> {
  const { userName, sub } = PEOPLE[name];
  return push(world, '/Users', { schemas: [USER], userName, externalId: sub, active: true, ...more });
}

/** Pushes a team of these people, by their ids, and gives the id. */
export function pushTeam(
  world: Pick<World, 'http'>,
  displayName: string,
  ...people: readonly string[]
): Promise<string> {
  return push(world, '/Groups', {
    schemas: [TEAM],
    displayName,
    ...(people.length > 0 && { members: people.map((value) => ({ value })) }),
  });
}

/** Changes what was pushed. */
export function patch(world: Pick<World, 'http'>, path: string, ...Operations: readonly unknown[]) {
  return scim(world, 'PATCH', path, { schemas: [PATCH], Operations });
}
