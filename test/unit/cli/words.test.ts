import assert from 'node:assert/strict';

import fc from 'fast-check';

import { describeDuration, describeMoment, parseMinutes, parseMoment } from '../../../src/cli/duration.ts';
import { endingOf, NotStartedError, UsageError } from '../../../src/cli/failure.ts';
import { jsonLogger } from '../../../src/cli/json-logger.ts';
import { oneLine, table } from '../../../src/cli/table.ts';
import { CancelledError, OamError } from '../../../src/domain/errors.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { ControlPlaneError } from '../../../src/protocol/client.ts';

describe('oam: times', () => {
  it('reads minutes, hours, days and their sums', () => {
    assert.deepEqual(
      ['30m', '8h', '1h30m', '2d', '0m', '400d'].map(parseMinutes),
      [30, 480, 90, 2_880, 0, 576_000],
    );
  });

  for (const text of [
    '',
    '30',
    'm',
    '30 m',
    '-5m',
    '1.5h',
    '30s',
    '5mm',
    '30m!',
    'soon',
    '1e3m',
    '9999999999m',
  ]) {
    it(`does not read '${text}'`, () => {
      assert.throws(() => parseMinutes(text), UsageError);
    });
  }

  it('reads moments: the next such time of day, a date, or a while from now', () => {
    const now = new Date(2026, 10, 25, 14, 0).getTime();
    const at = (text: string) => parseMoment(text, now) - now;
    assert.equal(at('14:30'), 30 * 60_000);
    assert.equal(at('14:00'), 24 * 3_600_000);
    assert.equal(at('9:05'), 19 * 3_600_000 + 5 * 60_000);
    assert.equal(at('+1h30m'), 90 * 60_000);
    assert.equal(at('2026-11-25T15:00'), 3_600_000);
    assert.equal(at('2026-11-25 15:00'), 3_600_000);
    assert.equal(parseMoment('2026-11-25T15:00Z', now), Date.UTC(2026, 10, 25, 15));
    for (const text of ['', '24:00', '9', 'tomorrow', '2026-11-25', '2026-13-25T15:00', '+soon', '-2h']) {
      assert.throws(() => parseMoment(text, now), UsageError, text);
    }
  });

  it('reads back what it is written from', () => {
    fc.assert(
      fc.property(fc.nat(999), fc.nat(999), fc.nat(999), (d, h, m) => {
        assert.equal(parseMinutes(`${d}d${h}h${m}m`), d * 1_440 + h * 60 + m);
      }),
    );
  });

  it('says lengths for people', () => {
    assert.deepEqual(
      [0, 44_100, 60_000, 3_600_000, 5_400_000, 90_000_000, 172_800_000].map(describeDuration),
      ['0 s', '45 s', '1 min', '1 h', '1 h 30 min', '1 d 1 h', '2 d'],
    );
  });

  it('says the day only where it is not today', () => {
    const noon = new Date(2027, 0, 15, 12).getTime();
    assert.equal(describeMoment(new Date(2027, 0, 15, 18, 5).getTime(), noon), '18:05');
    assert.equal(describeMoment(new Date(2027, 0, 16, 6, 5).getTime(), noon), '2027-01-16 06:05');
  });
});

describe('oam: tables', () => {
  it('lines columns up', () => {
    assert.deepEqual(table(['a', 'long'], [['one', '2'], ['3']]), ['A    LONG', 'one  2', '3']);
  });

  it('lets nobody paint the terminal of an approver', () => {
    assert.deepEqual(table(['a', 'b'], [['x\ny', 'z\u001b']]), ['A    B', 'x y  z']);
    assert.equal(oneLine('ok\u001b[2K\rAPPROVED\nx\u202eevil\u0007'), 'ok [2K APPROVED x evil ');
  });
});

describe('oam: failures', () => {
  const redactor = createRedactor();

  it('says the sentence, the detail and the next step', () => {
    const { exitCode, lines } = endingOf(
      new OamError('unreachable', 'The server could not be reached.', { detail: 'oam.example' }),
      redactor,
    );
    assert.equal(exitCode, 1);
    assert.deepEqual(lines, [
      'oam: The server could not be reached.',
      '     oam.example',
      '     Is the control plane running, and is OAM_URL (or --url) its address?',
    ]);
  });

  it("gives the policy's explanation", () => {
    const { lines } = endingOf(
      new ControlPlaneError({
        ...{ type: 't', title: 't', status: 403, code: 'refused_by_policy', detail: 'Policy refuses this.' },
        explanation: ['Auditors hold no access.'],
      }),
      redactor,
    );
    assert.deepEqual(lines, ['oam: Policy refuses this.', '     - Auditors hold no access.']);
  });

  it("tells a problem's variable part apart from its sentence", () => {
    const { lines } = endingOf(
      new ControlPlaneError({
        ...{ type: 't', title: 't', status: 422, code: 'window_too_long' },
        detail: 'Ask for less.: asked for 9 minutes: too many',
      }),
      redactor,
    );
    assert.deepEqual(lines, ['oam: Ask for less.', '     asked for 9 minutes: too many']);
  });

  it('ends with 2 for what was not understood, 126 and 127 for programs, silently when called off', () => {
    assert.equal(endingOf(new UsageError('What?'), redactor).exitCode, 2);
    assert.equal(endingOf(new NotStartedError(127, 'No.', 'x'), redactor).exitCode, 127);
    assert.deepEqual(endingOf(new CancelledError(), redactor, 143), { exitCode: 143, lines: [] });
  });

  it('shows no stack and no secret, whatever was thrown', () => {
    redactor.register('a-live-secret');
    for (const thrown of [new TypeError('broke at a-live-secret'), 'a-live-secret', undefined, { a: 1 }]) {
      const text = endingOf(thrown, redactor).lines.join('\n');
      assert.ok(!text.includes('a-live-secret') && !/\n\s+at /.test(text));
      assert.match(text, /^oam: /);
    }
  });
});

describe('oam: the log', () => {
  const lines: string[] = [];
  const redactor = createRedactor();
  const loggerAt = (level: string) =>
    jsonLogger({ clock: { nowMs: () => 0 }, redactor, level, write: (line) => lines.push(line) });

  beforeEach(() => {
    lines.splice(0);
  });

  it('is one JSON object a line, from its level on', () => {
    const logger = loggerAt('warn');
    logger.info('quiet');
    logger.warn('loud', { code: 'x' });
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      [{ time: '1970-01-01T00:00:00.000Z', level: 'warn', message: 'loud', code: 'x' }],
    );
  });

  it('is silent at a level that is none, and lets no secret through', () => {
    loggerAt('off').error('nothing');
    assert.deepEqual(lines, []);
    redactor.register('a-live-secret');
    loggerAt('debug').debug('with a-live-secret', { field: 'a-live-secret' });
    const [line = ''] = lines;
    assert.match(line, /field/);
    assert.ok(!line.includes('a-live-secret'));
  });
});
