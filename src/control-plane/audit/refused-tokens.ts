import { inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import type { Caller } from './caller.ts';
import type { Actor } from './record.ts';

/** Puts refused tokens on the record, however many there are. */
export interface RefusedTokens {
  /** The first of a kind in a round is a row at once; the others are counted. */
  note(refused: RefusedToken): Promise<void>;
  /** Ends a round: what was counted becomes a row for each kind. */
  endRound(): Promise<void>;
}

/** A token that did not open a door. */
export interface RefusedToken {
  readonly code: string;
  /** Whom it names; only where a signature vouches for that. */
  readonly actor?: Actor | undefined;
  /** The operation, or the door of another kind. */
  readonly door: string;
  readonly caller: Caller;
}

/** Kinds that are told apart in one round; behind them, those of one code are one kind. */
const KINDS = 200;

interface Kind {
  readonly code: string;
  readonly actor: Actor | undefined;
  repeated: number;
}

/** Creates the record. Where it cannot be written, the refusal stays a refusal. */
export function createRefusedTokens(core: Pick<Core, 'db' | 'debt' | 'logger'>): RefusedTokens {
  let round = new Map<string, Kind>();

  const record = async (kind: Kind, detail: Readonly<Record<string, string | number | undefined>>) => {
    try {
      await inChange(core.db, (change) =>
        core.debt.record(change, {
          event: 'authentication.refused',
          actor: kind.actor,
          detail: { code: kind.code, ...detail },
        }),
      );
    } catch (error) {
      core.logger.error('A refused token could not be recorded.', {
        code: kind.code,
        reason: error instanceof Error ? error.message : 'unknown',
      });
    }
  };

  return {
    async note({ code, actor, door, caller }) {
      const whole = JSON.stringify([code, actor?.iss, actor?.sub]);
      const key = round.size < KINDS || round.has(whole) ? whole : code;
      const known = round.get(key);
      if (known !== undefined) {
        known.repeated += 1;
        return;
      }
      const kind: Kind = { code, actor, repeated: 0 };
      round.set(key, kind);
      await record(kind, { door, ...caller });
    },
    async endRound() {
      const ended = round;
      round = new Map();
      for (const kind of ended.values()) {
        if (kind.repeated > 0) await record(kind, { repeated: kind.repeated });
      }
    },
  };
}
