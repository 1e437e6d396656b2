import { isMap, isNode, LineCounter, parseDocument } from 'yaml';
import * as z from 'zod/mini';

import { didYouMean } from './nearest.ts';
import type { FileProblem } from './problems.ts';

type Path = readonly PropertyKey[];

/** A YAML text that was checked by a schema, or what is wrong with it. */
export interface CheckedYaml<Value> {
  /** Undefined where there are problems. */
  readonly value: Value | undefined;
  readonly problems: readonly FileProblem[];
  /** A problem that lies at a path of the value, for checks that a schema cannot express. */
  readonly problemAt: (path: Path, message: string) => FileProblem;
}

/** Reads a YAML text by a schema. Every problem knows its line. */
export function checkYaml<Value>(
  file: string,
  text: string,
  schema: z.ZodMiniType<Value>,
): CheckedYaml<Value> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' });

  /** The line of the deepest part of the path that is in the file. */
  const lineAt = (path: Path, key?: string): number | undefined => {
    for (let depth = path.length; depth >= 0; depth--) {
      const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
      if (!isNode(node)) continue;
      const pair =
        key !== undefined && depth === path.length && isMap(node)
          ? node.items.find((item) => String(item.key) === key)
          : undefined;
      const offset = isNode(pair?.key) ? pair.key.range?.[0] : node.range?.[0];
      return offset === undefined ? undefined : lines.linePos(offset).line;
    }
    return undefined;
  };
  const problemAt = (path: Path, message: string): FileProblem => ({ file, line: lineAt(path), message });

  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      file,
      line: lines.linePos(error.pos[0]).line,
      message: error.message,
    }));
    return { value: undefined, problems, problemAt };
  }
  const parsed = schema.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (parsed.success) return { value: parsed.data, problems: [], problemAt };
  const problems = parsed.error.issues.flatMap((issue): FileProblem[] => {
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, issue.path);
      return issue.keys.map((key) => ({
        file,
        line: lineAt(issue.path, key),
        message: `Unknown key '${key}'${inPlace(issue.path)}.${didYouMean(key, known)}`,
      }));
    }
    return [problemAt(issue.path, describeIssue(issue, document.getIn(issue.path)))];
  });
  return { value: undefined, problems, problemAt };
}

function describeIssue(issue: z.core.$ZodIssue, found: unknown): string {
  const name = issue.path.length === 0 ? 'The file' : `'${issue.path.map(String).join('.')}'`;
  switch (issue.code) {
    case 'invalid_type':
      return found === undefined ? `${name} is missing.` : `${name} must be ${kindOf(issue.expected)}.`;
    case 'invalid_value': {
      const values = issue.values.map(String);
      const meant = typeof found === 'string' ? didYouMean(found, values) : '';
      return found === undefined
        ? `${name} is missing: one of ${values.join(', ')}.`
        : `${name} must be one of ${values.join(', ')}.${meant}`;
    }
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array'
        ? `${name} must not be empty.`
        : `${name} must be at least ${issue.minimum}.`;
    case 'too_big':
      return `${name} must be at most ${issue.maximum}.`;
    case 'invalid_format':
    case 'custom':
      return `${name} ${issue.message}`;
    default:
      return `${name} cannot be used.`;
  }
}

function kindOf(expected: string): string {
  const words: Record<string, string> = {
    array: 'a list',
    boolean: 'true or false',
    int: 'a whole number',
    number: 'a number',
    object: 'a set of keys',
    string: 'a text (in quotes if it looks like a number)',
  };
  return words[expected] ?? `a ${expected}`;
}

function inPlace(path: Path): string {
  return path.length === 0 ? '' : ` in '${path.map(String).join('.')}'`;
}

/** The keys that the schema knows at a path. */
function keysAt(schema: z.core.$ZodType, path: Path): string[] {
  let at: z.core.$ZodType = inner(schema);
  for (const step of path) {
    let below: z.core.$ZodType | undefined;
    if (at instanceof z.core.$ZodObject) below = at._zod.def.shape[String(step)];
    if (at instanceof z.core.$ZodArray) below = at._zod.def.element;
    if (at instanceof z.core.$ZodRecord) below = at._zod.def.valueType;
    if (below === undefined) return [];
    at = inner(below);
  }
  return at instanceof z.core.$ZodObject ? Object.keys(at._zod.def.shape) : [];
}

function inner(schema: z.core.$ZodType): z.core.$ZodType {
  const wraps = schema instanceof z.core.$ZodOptional || schema instanceof z.core.$ZodDefault;
  return wraps ? inner(schema._zod.def.innerType) : schema;
}
