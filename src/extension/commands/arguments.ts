import * as z from 'zod/mini';

import { GrantView, RequestView, RoleView } from '../../protocol/schemas.ts';

/** Lines of trees reach commands as arguments; anybody else may pass anything. */
function reader<T>(schema: z.ZodMiniType<T>): (argument: unknown) => T | undefined {
  return (argument) => {
    const parsed = schema.safeParse(argument);
    return parsed.success ? parsed.data : undefined;
  };
}

const readRole = reader(z.object({ role: RoleView }));
const readRequest = reader(z.object({ request: RequestView }));
const readGrant = reader(z.object({ grant: GrantView }));

/** The role that a command was called on. */
export function roleOf(argument: unknown): RoleView | undefined {
  return readRole(argument)?.role;
}

/** The request that a command was called on. */
export function requestOf(argument: unknown): RequestView | undefined {
  return readRequest(argument)?.request;
}

/** The grant that a command was called on. */
export function grantOf(argument: unknown): GrantView | undefined {
  return readGrant(argument)?.grant;
}

const readAgain = reader(z.object({ again: z.literal(true) }));

/** True where whoever is signed in is to sign in anew. */
export function isAgain(argument: unknown): boolean {
  return readAgain(argument) !== undefined;
}

const readHost = reader(z.object({ host: z.string() }));

/** The host of the workspace that a command was called on. */
export function hostOf(argument: unknown): string | undefined {
  return readHost(argument)?.host;
}

const readRefusal = reader(z.object({ refusal: z.string() }));

/** The words of Databricks that a command was called on. */
export function refusalOf(argument: unknown): string | undefined {
  return readRefusal(argument)?.refusal;
}
