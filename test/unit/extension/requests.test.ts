import assert from 'node:assert/strict';

import fc from 'fast-check';

import {
  minutesFault,
  offeredMinutes,
  outlookSentence,
  parseMinutes,
  purposeFault,
  toRequestCreate,
} from '../../../src/extension/requests/request-draft.ts';
import { durationWords, momentWords, timeLeftWords } from '../../../src/extension/time-words.ts';
import { PURPOSE_MAX_CHARACTERS } from '../../../src/protocol/limits.ts';
import { english } from './localise.ts';
import { aRole, stageFor } from './views.ts';

describe('asking for a role', () => {
  it('reads times as people write them', () => {
    const read: Record<string, number | undefined> = {
      '45': 45,
      '45m': 45,
      ' 2 h ': 120,
      '1h 30m': 90,
      '1h30': undefined,
      '1.5 hours': 90,
      '2 days': 2880,
      '0': 0,
      '400d': 576_000,
      '': undefined,
      soon: undefined,
      '1.3333 h': undefined,
      '0.001h': undefined,
      '-5': undefined,
      '5 monkeys': undefined,
    };
    for (const [text, minutes] of Object.entries(read)) assert.equal(parseMinutes(text), minutes, text);
  });

  it('reads every whole number of hours and minutes that it is given, and never hangs or throws on anything', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.nat(59), (hours, minutes) => {
        assert.equal(parseMinutes(`${hours}h ${minutes}m`), hours * 60 + minutes);
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        const minutes = parseMinutes(text);
        assert(minutes === undefined || (Number.isInteger(minutes) && minutes >= 0));
      }),
    );
  });

  it('refuses a window of nothing and one of 400 days before it is sent', () => {
    assert.equal(minutesFault(english, '0', 480), 'Ask for at least one minute.');
    assert.equal(minutesFault(english, '400d', 480), 'Choose 8 hours at most.');
    assert.equal(minutesFault(english, 'a while', 480), 'Write a time such as 45m, 2h or 1h 30m.');
    assert.equal(minutesFault(english, '8h', 480), undefined);
  });

  it('refuses a purpose that is empty or endless', () => {
    assert.equal(purposeFault(english, '  \n'), 'Say what you need it for.');
    assert.equal(
      purposeFault(english, 'x'.repeat(10_000)),
      `Shorten it to ${PURPOSE_MAX_CHARACTERS} characters; it has 10000 now.`,
    );
    assert.equal(purposeFault(english, 'x'.repeat(PURPOSE_MAX_CHARACTERS)), undefined);
  });

  it('offers times up to the role’s maximum, its usual one among them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 43_200 }), fc.nat(), (maxMinutes, pick) => {
        const defaultMinutes = 1 + (pick % maxMinutes);
        const offered = offeredMinutes({ defaultMinutes, maxMinutes });
        assert(offered.includes(defaultMinutes));
        assert.equal(offered.at(-1), maxMinutes);
        assert.deepEqual(
          offered,
          [...new Set(offered)].sort((a, b) => a - b),
        );
        assert(offered.every((minutes) => minutes >= 1));
      }),
    );
  });

  it('says policy’s answer with its reasons', () => {
    assert.equal(outlookSentence(english, aRole()), 'Policy grants this at once. Low sensitivity, own team.');
    const outlook = {
      kind: 'needs_approval' as const,
      because: [],
      stages: [stageFor('leads', 'owners'), stageFor('security')],
    };
    assert.equal(
      outlookSentence(english, aRole({ outlook })),
      'This needs the approval of leads or owners, then security.',
    );
    const stage = {
      ...stageFor(),
      approverDuty: 'lead' as const,
      approverAttributes: { site: ['berlin', 'porto'] },
      ofTeam: 'recsys',
    };
    assert.equal(
      outlookSentence(english, aRole({ outlook: { ...outlook, stages: [stage] } })),
      'This needs the approval of people with duty lead and site berlin or porto of the team recsys.',
    );
  });

  it('sends the purpose without the blanks around it, and a ticket only where there is one', () => {
    const draft = {
      ...{ role: aRole(), purpose: ' why ', minutes: 5, ticket: undefined, code: undefined },
      idempotencyKey: 'k',
    };
    assert.deepEqual(toRequestCreate(draft), { roleId: 'recsys-endpoint-query', purpose: 'why', minutes: 5 });
    assert.equal(toRequestCreate({ ...draft, ticket: 'ML-1' }).ticket, 'ML-1');
    assert.deepEqual(toRequestCreate({ ...draft, code: { branch: 'main' } }).codeContext, { branch: 'main' });
  });
});

describe('times in words', () => {
  it('says lengths', () => {
    const words = [1, 30, 60, 90, 120, 480, 2880, 1500].map((minutes) => durationWords(english, minutes));
    assert.deepEqual(words, [
      '1 minute',
      '30 minutes',
      '1 hour',
      '1 h 30 min',
      '2 hours',
      '8 hours',
      '2 days',
      '25 hours',
    ]);
  });

  it('never says more than is left', () => {
    const left = (ms: number): string => timeLeftWords(english, 1_000_000 + ms, 1_000_000);
    assert.equal(left(0), 'ending now');
    assert.equal(left(-5), 'ending now');
    assert.equal(left(59_999), 'under 1 min left');
    assert.equal(left(119_999), '1 min left');
    assert.equal(left(3_600_000), '1 h 0 min left');
    assert.equal(left(3 * 86_400_000), '3 days left');
  });

  it('names the day only where it is another one', () => {
    const at = (iso: string): number => Date.parse(iso);
    const now = at('2026-11-23T10:00:00Z');
    assert.equal(momentWords('en-GB', at('2026-11-23T18:05:00Z'), now, 'UTC'), '18:05');
    assert.match(momentWords('en-GB', at('2026-11-24T18:05:00Z'), now, 'UTC'), /24 Nov.*18:05/);
  });
});
