import { OamError } from '../../domain/errors.ts';

/** Something in a file that has to be mended, and where. */
export interface FileProblem {
  readonly file: string;
  /** From 1; undefined where the whole file is meant. */
  readonly line: number | undefined;
  readonly message: string;
}

/** Makes a problem out of a path in a file, as its parser counts it, and a sentence. */
export type ProblemAt = (path: readonly (string | number)[], message: string) => FileProblem;

/** `file:line: message`, as compilers write it, so that editors make a link of it. */
export function describeProblem({ file, line, message }: FileProblem): string {
  return line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`;
}

/** Files that a person wrote and that cannot be used as they are. All that is wrong is told at once. */
export class FileProblemsError extends OamError {
  readonly problems: readonly FileProblem[];

  constructor(code: string, sentence: string, problems: readonly FileProblem[]) {
    const inOrder = [...problems].sort(
      (a, b) => a.file.localeCompare(b.file) || (a.line ?? 0) - (b.line ?? 0),
    );
    super(code, sentence, { detail: inOrder.map(describeProblem).join('\n') });
    this.name = 'FileProblemsError';
    this.problems = inOrder;
  }
}
