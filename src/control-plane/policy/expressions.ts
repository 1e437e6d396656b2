import type { Expr } from '@cedar-policy/cedar-wasm/nodejs';
import * as z from 'zod/mini';

/**
 * Cedar's expressions as JSON, seen through schemas: their type allows any function call by name, which hides the
 * form of the operators.
 */
const Expression = z.custom<Expr>((value) => typeof value === 'object' && value !== null);
const Operands = z.object({ left: Expression, right: Expression });
const Attribute = z.object({ left: Expression, attr: z.string() });
const TagName = z.object({ Value: z.string() });
const Variable = z.object({ Var: z.string() });

/** The two sides of a binary operator, if the expression is one. */
export function operandsOf(expression: Expr, operator: string): { left: Expr; right: Expr } | undefined {
  return Operands.safeParse(field(expression, operator)).data;
}

/** `principal.duty` (or, for `has`, `principal has duty`) as its two names. */
export function attributeOf(
  expression: Expr,
  operator: '.' | 'has',
): { variable: string; name: string } | undefined {
  const attribute = Attribute.safeParse(field(expression, operator)).data;
  const variable = attribute && variableOf(attribute.left);
  return variable === undefined ? undefined : { variable, name: attribute?.attr ?? '' };
}

/** The name that `principal.hasTag("…")` or `principal.getTag("…")` writes out. */
export function tagOf(expression: Expr, operator: 'hasTag' | 'getTag'): string | undefined {
  const operands = operandsOf(expression, operator);
  return operands && variableOf(operands.left) === 'principal'
    ? TagName.safeParse(operands.right).data?.Value
    : undefined;
}

/** `principal`, `resource` or `context`, if the expression is one of them. */
export function variableOf(expression: Expr): string | undefined {
  return Variable.safeParse(expression).data?.Var;
}

/** The items of a set that is written out. */
export function itemsOf(expression: Expr): Expr[] | undefined {
  return z.array(Expression).safeParse(field(expression, 'Set')).data;
}

function field(expression: Expr, name: string): unknown {
  return Object.entries(expression).find(([key]) => key === name)?.[1];
}
