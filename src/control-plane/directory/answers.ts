import SCIMMY from 'scimmy';

/** What is answered where a SCIM resource is not there. */
export function noSuchResource(id: string): Error {
  return new SCIMMY.Types.Error(404, '', `There is no such resource: ${id}`);
}

/** A value that cannot be taken; the variable part last. */
export function invalidValue(sentence: string, detail: string): Error {
  return new SCIMMY.Types.Error(400, 'invalidValue', `${sentence}: ${detail}`);
}

const UNIQUE_VIOLATION = '23505';

/** Runs a write; a value that somebody else has already is a conflict in SCIM's words (RFC 7644 §3.12). */
export async function conflict<T>(attribute: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION) {
      throw new SCIMMY.Types.Error(409, 'uniqueness', `Another resource has this value: ${attribute}`);
    }
    throw error;
  }
}

/**
 * Keeps what is not SCIM's own from being taken for "not found", which SCIMMY makes of any other error: a client that
 * believes it would create everybody anew.
 */
export async function faithfully<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SCIMMY.Types.Error) throw error;
    throw new UnexpectedFailure(error);
  }
}

/** A failure of ours: no word on the resource that was asked for. */
export class UnexpectedFailure extends SCIMMY.Types.Error {
  constructor(cause: unknown) {
    super(500, '', 'Something went wrong here, and it was logged. Try again.');
    this.cause = cause;
  }
}
