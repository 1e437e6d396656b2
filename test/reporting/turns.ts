/** Says a line. */
export type Say = (line: string) => void;

/** What one of several that run side by side has to say. */
export interface Turn {
  readonly say: Say;
  /** There is nothing more to come. */
  end(): void;
}

/**
 * Lets several that run side by side be read one after the other: one of them speaks as it goes, and what the others
 * say is kept until it is their turn, in the order in which they began.
 */
export function takeTurns(say: Say): { ask(): Turn } {
  const queue: { readonly kept: string[]; hasEnded: boolean }[] = [];
  const goOn = (): void => {
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      for (const line of first.kept.splice(0)) say(line);
      if (!first.hasEnded) return;
      queue.shift();
    }
  };
  return {
    ask() {
      const mine = { kept: [] as string[], hasEnded: false };
      queue.push(mine);
      return {
        say(line) {
          mine.kept.push(line);
          goOn();
        },
        end() {
          mine.hasEnded = true;
          goOn();
        },
      };
    },
  };
}
