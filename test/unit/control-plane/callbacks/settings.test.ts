import assert from 'node:assert/strict';

import {
  checkCallbacks,
  CallbackSettings,
  isAskedAbout,
} from '../../../../src/control-plane/callbacks/settings.ts';
import { findingOf } from '../../../../src/control-plane/callbacks/answer.ts';
import { createCircuit } from '../../../../src/control-plane/callbacks/circuit.ts';
import { createSharedWork } from '../../../../src/control-plane/callbacks/shared-work.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { checkYaml } from '../../../../src/control-plane/configuration/yaml.ts';

const GOOD = `
verifiers:
  - name: tickets
    url: https://tickets.example.com/verify
    secretEnv: TICKETS
    teams: [recsys]
`;

function problemsOf(text: string): string[] {
  const { value, problems } = checkYaml('oam.yaml', text, CallbackSettings);
  if (value === undefined) return problems.map(({ message }) => message);
  const faults: string[] = [];
  checkCallbacks(value, (at, message) => {
    if (message !== undefined) faults.push(`${at.join('.')} ${message}`);
  });
  return faults;
}

describe('the configuration of callbacks', () => {
  it('says what is meant where a name is not known, and refuses what is out of bounds', () => {
    assert.deepEqual(problemsOf(GOOD), []);
    for (const [from, to, message] of [
      ['secretEnv', 'secretEnf', /Did you mean 'secretEnv'/],
      ['https:', 'http:', /must begin with https/],
      ['tickets.example.com', '10.0.0.7', /private net/],
      ['tickets.example.com', '169.254.169.254', /no callback may go/],
      ['name: tickets', 'name: "Tickets!"', /short name/],
      ['[recsys]', '[]', /must not be empty/],
      ['verifiers:', 'timeoutSeconds: 60\nverifiers:', /at most 10/],
      ['verifiers:', 'allowPrivate: ["*.corp"]\nverifiers:', /without wildcards/],
    ] as const) {
      assert.match(problemsOf(GOOD.replace(from, to)).join('\n'), message, to);
    }
    assert.match(problemsOf(GOOD + GOOD.replace('verifiers:\n', '')).join('\n'), /taken by another callback/);
  });

  it('asks about all roles unless some are named, by themselves or by their team', () => {
    const verifier = { name: 't', url: 'u', secretEnv: 'S' };
    const role = { id: 'promote', team: 'recsys' };
    assert.ok(isAskedAbout(verifier, role));
    assert.ok(isAskedAbout({ ...verifier, roles: ['promote'] }, role));
    assert.ok(isAskedAbout({ ...verifier, roles: ['other'], teams: ['recsys'] }, role));
    assert.ok(!isAskedAbout({ ...verifier, roles: ['other'] }, role));
    assert.ok(!isAskedAbout({ ...verifier, teams: ['platform'] }, role));
  });
});

describe("a callback's answer", () => {
  it('is a yes only in the agreed form', () => {
    assert.equal(findingOf('{"verified":true}').verdict, 'confirmed');
    assert.equal(findingOf('{"verified":false}').verdict, 'refuted');
    for (const text of [
      '',
      'true',
      '[]',
      '{}',
      '{"verified":1}',
      '{"verified":true,"role":"admin"}',
      '{"verified":true}x',
      '[{"verified":true}]',
      '{"verified":true,"ticket":"ML-1"}',
    ]) {
      assert.equal(findingOf(text).verdict, 'unanswered', text);
    }
  });

  it('stays on one line, short, and turns no text around', () => {
    const title = `a\r\nb\u202ec\u2028d\u0000${'x'.repeat(500)}`;
    const finding = findingOf(JSON.stringify({ verified: true, reason: ' \n ', ticket: { title } }));
    assert.equal(finding.verdict, 'confirmed');
    assert.ok(finding.verdict === 'confirmed' && finding.ticketTitle !== undefined);
    assert.match(finding.ticketTitle, /^a b c d x+…$/);
    assert.equal([...finding.ticketTitle].length, 200);
    assert.equal(finding.reason, undefined);
  });
});

describe('the circuit to a callback', () => {
  it('opens after five failures in a row, and one question tries whether it is back', () => {
    let nowMs = 0;
    const circuit = createCircuit(() => nowMs);
    for (let round = 0; round < 4; round += 1) circuit.failed();
    circuit.answered();
    for (let round = 0; round < 5; round += 1) {
      assert.ok(circuit.mayAsk());
      circuit.failed();
    }
    assert.ok(!circuit.mayAsk());
    nowMs = 30_000;
    assert.ok(circuit.mayAsk());
    assert.ok(!circuit.mayAsk(), 'only one tries');
    circuit.calledOff();
    assert.ok(circuit.mayAsk(), 'one that was called off has tried nothing');
    circuit.failed();
    assert.ok(!circuit.mayAsk());
    nowMs = 60_000;
    assert.ok(circuit.mayAsk());
    circuit.answered();
    assert.ok(circuit.mayAsk() && circuit.mayAsk());
  });
});

describe('work that is shared', () => {
  const until = (signal: AbortSignal): Promise<string> =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(new Error('called off'));
      });
    });

  it('is done once for all who want it, and called off when the last of them has gone', async () => {
    const share = createSharedWork<string>();
    let begun = 0;
    let calledOff = false;
    const work = (signal: AbortSignal): Promise<string> => {
      begun += 1;
      signal.addEventListener('abort', () => (calledOff = true));
      return until(signal);
    };
    const [one, two] = [new AbortController(), new AbortController()];
    const first = share('key', one.signal, work);
    const second = share('key', two.signal, work);
    one.abort();
    await assert.rejects(first, (error) => hasCode(error, 'cancelled'));
    assert.deepEqual([begun, calledOff], [1, false]);
    two.abort();
    await assert.rejects(second, (error) => hasCode(error, 'cancelled'));
    assert.deepEqual([begun, calledOff], [1, true]);
    assert.equal(await share('key', new AbortController().signal, () => Promise.resolve('anew')), 'anew');
  });

  it('fails for all, and is not kept', async () => {
    const share = createSharedWork<string>();
    const { signal } = new AbortController();
    const fail = () => Promise.reject(new Error('no'));
    const both = [share('key', signal, fail), share('key', signal, fail)];
    for (const one of both) await assert.rejects(one, /no/);
    assert.equal(await share('key', signal, () => Promise.resolve('yes')), 'yes');
  });
});
