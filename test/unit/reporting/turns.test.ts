import assert from 'node:assert/strict';

import { takeTurns } from '../../reporting/turns.ts';

describe('suites that run side by side', () => {
  it('are read one after the other, the first as it goes, and nothing of the others is lost', () => {
    const lines: string[] = [];
    const turns = takeTurns((line) => lines.push(line));
    const [first, second, third] = [turns.ask(), turns.ask(), turns.ask()];
    second.say('second begins');
    first.say('first begins');
    third.say('third');
    third.end();
    assert.deepEqual(lines, ['first begins']);
    first.say('first ends');
    first.end();
    assert.deepEqual(lines, ['first begins', 'first ends', 'second begins']);
    const fourth = turns.ask();
    fourth.say('fourth');
    second.say('second ends');
    second.end();
    assert.deepEqual(lines.slice(3), ['second ends', 'third', 'fourth']);
  });
});
