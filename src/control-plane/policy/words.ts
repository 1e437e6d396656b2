import {
  type CedarValueJson,
  type Clause,
  type EntityJson,
  type Expr,
  policyToText,
} from '@cedar-policy/cedar-wasm/nodejs';

import * as z from 'zod/mini';

import type { Question } from './entities.ts';
import { attributeOf, itemsOf, operandsOf, tagOf, variableOf } from './expressions.ts';

const Literal = z.object({ Value: z.unknown() });

const EntityValue = z.object({ __entity: z.object({ id: z.string() }) });

/** What an attribute is called, and how its value is said to differ. */
const NAMES: Readonly<Record<string, string>> = {
  'principal.issuer': 'your identity provider',
  'principal.userName': 'your user name',
  'principal.duty': 'your duty',
  'principal.groups': 'your groups',
  'principal.teams': 'your teams',
  'principal.leads': 'the teams that you lead',
  'resource.team': "the role's team",
  'resource.workspace': "the role's workspace",
  'resource.sensitivity': "the role's sensitivity",
  'resource.credential': "the role's kind of credential",
  'context.minutes': 'the window in minutes',
  'context.extension': 'that it is an extension',
  'context.ticket': 'the ticket',
  'context.purposeCharacters': "the purpose's length in characters",
  'context.verified': 'the confirmations',
  'context.hourUtc': 'the hour (UTC)',
  'context.weekday': 'the weekday (1 is Monday)',
  'context.approverGroups': "the stage's approver groups",
  'context.approverDuty': "the stage's duty",
  'context.approverAttributes': "the stage's attributes",
  'context.ofTeam': "that the stage is the role's own team's",
  'context.quorum': "the stage's quorum",
  'context.requester': 'the requester',
  'context.team': 'the team whose role is decided on',
  'resource.duty': "the delegate's duty",
  'resource.groups': "the delegate's groups",
  'resource.teams': "the delegate's teams",
  'context.holder': 'the holder',
  principal: 'you',
  resource: 'the role',
};

const COMPARISONS = {
  '==': 'is',
  '!=': 'is not',
  '<': 'is less than',
  '<=': 'is at most',
  '>': 'is more than',
  '>=': 'is at least',
} as const;

const INCLUSIONS = {
  contains: 'include',
  containsAny: 'include one of',
  containsAll: 'include all of',
} as const;

/**
 * One condition of a rule, in words, with the value that failed it. A form that has no words here is shown as
 * Cedar writes it. Undefined stands for the rule's head (principal, action and resource).
 */
export function describeCondition(clause: Clause | undefined, question: Question): string {
  if (clause === undefined) return 'the person and the role are those of its head';
  const words = describe(clause.body, question);
  if (words === undefined) return `this holds: ${asCedar(clause)}`;
  return clause.kind === 'when' ? words : `it is not so that ${words}`;
}

function describe(expression: Expr, question: Question): string | undefined {
  for (const [operator, words] of Object.entries(COMPARISONS)) {
    const operands = operandsOf(expression, operator);
    if (operands !== undefined) return sentence(operands.left, words, operands.right, question);
  }
  for (const [operator, words] of Object.entries(INCLUSIONS)) {
    const operands = operandsOf(expression, operator);
    if (operands === undefined) continue;
    // A written-out list that contains an attribute reads better the other way round.
    return operator === 'contains' && itemsOf(operands.left) !== undefined
      ? sentence(operands.right, 'is one of', operands.left, question)
      : sentence(operands.left, words, operands.right, question);
  }
  const tag = tagOf(expression, 'hasTag');
  if (tag !== undefined) return `your attribute '${tag}' is given`;
  const presence = attributeOf(expression, 'has');
  const name = presence && NAMES[`${presence.variable}.${presence.name}`];
  return name === undefined ? undefined : `${name} is given`;
}

function sentence(left: Expr, words: string, right: Expr, question: Question): string | undefined {
  const subject = nameOf(left);
  const object = literalOf(right) ?? namedValue(right, question);
  return subject === undefined || object === undefined
    ? undefined
    : `${subject} ${words} ${object}${found(left, question)}`;
}

function found(expression: Expr, question: Question): string {
  const value = valueOf(expression, question);
  if (value === undefined) return '';
  return Array.isArray(value) ? ` (they are: ${say(value) || 'none'})` : ` (it is ${say(value)})`;
}

function namedValue(expression: Expr, question: Question): string | undefined {
  const name = nameOf(expression);
  const value = valueOf(expression, question);
  return name === undefined || value === undefined ? name : `${name} ${say(value)}`;
}

/** The value that the question gives an attribute. */
function valueOf(expression: Expr, question: Question): CedarValueJson | undefined {
  const tag = tagOf(expression, 'getTag');
  if (tag !== undefined) return entityOf('principal', question)?.tags?.[tag];
  const attribute = attributeOf(expression, '.');
  if (attribute === undefined) return undefined;
  const { variable, name } = attribute;
  if (variable === 'context') return question.context[name];
  if (variable !== 'principal' && variable !== 'resource') return undefined;
  return entityOf(variable, question)?.attrs[name];
}

function entityOf(variable: 'principal' | 'resource', question: Question): EntityJson | undefined {
  const { type, id } = question[variable];
  return question.entities.find(({ uid }) => 'id' in uid && uid.type === type && uid.id === id);
}

function nameOf(expression: Expr): string | undefined {
  const variable = variableOf(expression);
  if (variable !== undefined) return NAMES[variable];
  const tag = tagOf(expression, 'getTag');
  if (tag !== undefined) return `your attribute '${tag}'`;
  const attribute = attributeOf(expression, '.');
  return attribute && NAMES[`${attribute.variable}.${attribute.name}`];
}

function literalOf(expression: Expr): string | undefined {
  const literal = Literal.safeParse(expression).data;
  if (literal !== undefined) return say(literal.Value);
  const items = itemsOf(expression)?.map(literalOf);
  return items === undefined || items.includes(undefined) ? undefined : items.join(', ');
}

function say(value: unknown): string {
  if (Array.isArray(value)) return value.map(say).join(', ');
  const entity = EntityValue.safeParse(value).data;
  if (entity !== undefined) return `'${entity.__entity.id}'`;
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}

function asCedar(clause: Clause): string {
  const answer = policyToText({
    effect: 'permit',
    principal: { op: 'All' },
    action: { op: 'All' },
    resource: { op: 'All' },
    conditions: [clause],
    annotations: {},
  });
  if (answer.type === 'failure') return 'a condition of its own';
  return answer.text
    .slice('permit(principal, action, resource) '.length)
    .replace(/\s+/g, ' ')
    .replace(/;$/, '');
}
