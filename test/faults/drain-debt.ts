/** A process that takes the debt of the audit trail up, so that it can be killed in the middle of it. */
import { Kysely, PostgresDialect } from 'kysely';

import { createAuditDebt } from '../../src/control-plane/audit/debt.ts';
import { createPool } from '../../src/control-plane/store/store.ts';
import type { Database } from '../../src/control-plane/store/tables.ts';
import { silentLogger } from '../../src/domain/logger.ts';

const [, , connection = '', dataFolder = ''] = process.argv;
const pool = createPool({ ...(JSON.parse(connection) as object), max: 2 }, silentLogger);
const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) }).withSchema('oam');
process.stdout.write('draining\n');
await createAuditDebt(dataFolder, silentLogger).drain(db);
process.stdout.write('drained\n');
await db.destroy();
