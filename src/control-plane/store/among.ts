import { type RawBuilder, sql } from 'kysely';

/**
 * One of many values, by one parameter whatever their number, for `where(column, '=', among(type, values))`: a list with a
 * parameter for each value is written, parsed and planned anew for each number of values.
 */
export function among<T extends string | number>(
  type: 'uuid' | 'bigint',
  values: readonly T[],
): RawBuilder<T> {
  return sql<T>`any(${values}::${sql.raw(type)}[])`;
}
