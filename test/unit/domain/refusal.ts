import { OamError } from '../../../src/domain/errors.ts';

/** The code by which something is refused; `none` where it is not. */
export function refusalOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof OamError) return error.code;
    throw error;
  }
  return 'none';
}
