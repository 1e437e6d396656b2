import assert from 'node:assert/strict';

import fc from 'fast-check';

import { OamError } from '../../../src/domain/errors.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { errorWords } from '../../../src/extension/commands/error-words.ts';
import { SingleFlight } from '../../../src/extension/commands/single-flight.ts';
import type { ConnectionState } from '../../../src/extension/connection/connection.ts';
import { createChannelLogger } from '../../../src/extension/logging/log-channel.ts';
import { statusWords } from '../../../src/extension/status-bar/status-words.ts';
import { ControlPlaneError } from '../../../src/protocol/client.ts';
import { english } from './localise.ts';
import { aGrant, ANA_SESSION, NOBODY, PROD, TRUST } from './views.ts';

describe('errors', () => {
  it('are a sentence with the next step, then what differs, and a button', () => {
    const away = new OamError('unreachable', 'The server could not be reached. Check it.', {
      detail: 'host',
    });
    assert.deepEqual(errorWords(english, away), {
      message: 'The server could not be reached. Check it. (host)',
      remedy: 'retry',
    });
    assert.equal(errorWords(english, new OamError('session_expired', 'Ended.')).remedy, 'signIn');
    assert.equal(errorWords(english, new OamError('untrusted_host', 'No.')).remedy, 'trustHosts');
  });

  it('carry the reasons of policy, none of them twice', () => {
    const refusal = new ControlPlaneError({
      type: 'urn:oam:problem:refused_by_policy',
      title: 'Refused',
      status: 403,
      code: 'refused_by_policy',
      detail: 'Policy refuses this. Other team.',
      explanation: ['Other team.', 'Leads of platform may.'],
    });
    assert.equal(
      errorWords(english, refusal).message,
      'Policy refuses this. Other team. Leads of platform may.',
    );
  });

  it('of our own making do not show their insides', () => {
    const words = errorWords(english, new TypeError("Cannot read 'secret' of undefined"));
    assert.doesNotMatch(words.message, /secret/);
    assert.equal(words.remedy, 'showLog');
  });
});

describe('a second click', () => {
  it('does nothing twice, and the button is grey meanwhile', async () => {
    const states: string[] = [];
    const flight = new SingleFlight((key, isRunning) => states.push(`${key} ${String(isRunning)}`));
    const gate = Promise.withResolvers<undefined>();
    let runs = 0;
    const work = async (): Promise<void> => {
      runs++;
      await gate.promise;
    };
    const both = Promise.all([flight.run('a', work), flight.run('a', work)]);
    gate.resolve(undefined);
    await both;
    assert.equal(runs, 1);
    assert.deepEqual(states, ['a true', 'a false']);
    await flight.run('a', work);
    assert.equal(runs, 2);
  });

  it('gets the error of the first one, and the next one may run', async () => {
    const flight = new SingleFlight();
    await assert.rejects(flight.run('a', () => Promise.reject(new Error('no'))));
    let ran = false;
    await flight.run('a', () => {
      ran = true;
      return Promise.resolve();
    });
    assert(ran);
  });
});

describe('the log', () => {
  it('holds no secret, whatever is written', () => {
    const redactor = createRedactor();
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const logger = createChannelLogger({ debug: write, info: write, warn: write, error: write }, redactor);
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{12,60}$/), fc.string(), (secret, text) => {
        lines.length = 0;
        const mask = redactor.register(secret);
        for (const level of ['debug', 'info', 'warn', 'error'] as const) {
          logger[level](`${text} ${secret}`, { error: `x${secret}y` });
        }
        assert.equal(lines.length, 4);
        assert(lines.every((line) => !line.includes(secret)));
        mask[Symbol.dispose]();
      }),
    );
  });
});

describe('the status bar', () => {
  const NOW = Date.parse('2026-11-23T10:30:05.000Z');

  it('says where to sign in, where one works, and what ends next', () => {
    const signedOut = { kind: 'signedOut', url: 'https://a', expired: false } as const;
    assert.equal(statusWords(english, signedOut, [], [], NOW)?.text, '$(key) OAM: sign in');
    const signedIn: ConnectionState = {
      kind: 'signedIn',
      url: 'https://a',
      trust: TRUST,
      session: ANA_SESSION,
      client: { call: () => assert.fail('not called') },
      caller: NOBODY,
    };
    const active = { kind: 'active', workspace: PROD } as const;
    const later = aGrant({ id: 'g2', endsAt: '2026-11-23T12:00:00.000Z' });
    const words = statusWords(english, signedIn, [active], [later, aGrant()], NOW);
    assert.equal(words?.text, '$(key) ml-prod · 30 min left');
    assert(words.tooltip.includes('Signed in as ana@example.com'));
    assert.equal(statusWords(english, { kind: 'notConfigured', error: undefined }, [], [], NOW), undefined);
  });
});
