import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import ts from 'typescript';

import { OamError } from '../../../src/domain/errors.ts';
import { HOUR_MS } from '../../../src/domain/time.ts';
import { type TeamData } from '../../../src/extension/team/team-data.ts';
import { teamMessage } from '../../../src/extension/team/team-words.ts';
import { timelinePage } from '../../../src/extension/team/timeline-page.ts';
import { english } from './localise.ts';
import { aGrant, ANA } from './views.ts';
import { at, aTeam, reader } from './team-views.ts';

describe('the page of the timeline', () => {
  const page = (data: TeamData | undefined, message = ''): string =>
    timelinePage(reader, {
      ...{ data, message },
      ...{ nonce: 'n0nce', cspSource: 'https://file.example', scriptUri: 'x.js', styleUri: 'x.css' },
    });

  it('takes nothing that is not read for nothing that is held', () => {
    const away = new OamError('unreachable', 'The server could not be reached.');
    const messages = (
      [
        { kind: 'unknown' },
        { kind: 'failed', error: away },
        { kind: 'known', data: aTeam(), stale: away },
        { kind: 'known', data: aTeam(), stale: undefined },
      ] as const
    ).map((state) => teamMessage(english, state));
    assert.deepEqual(messages, [
      'Reading what your teams hold…',
      'The server could not be reached.',
      'Not up to date. The server could not be reached.',
      '',
    ]);
    const unread = page(undefined, messages[1]);
    assert.match(unread, /role="status">The server could not be reached\./);
    assert.doesNotMatch(unread, /Nobody in your teams/);
    assert.match(page({ ...aTeam(), grants: [], leases: [] }), /Nobody in your teams/);
    assert.match(page(aTeam(), messages[2]), /role="status">Not up to date.*<rect/s);
  });

  it('runs its own script only, and takes nothing from elsewhere', () => {
    const text = page(aTeam());
    const csp = /Content-Security-Policy" content="([^"]+)"/.exec(text)?.[1]?.replaceAll('&#39;', "'");
    assert.equal(
      csp,
      "default-src 'none'; style-src https://file.example; script-src 'nonce-n0nce'; base-uri 'none'; form-action 'none'",
    );
    assert.deepEqual(text.match(/<script[^>]*>/g), ['<script nonce="n0nce" src="x.js">']);
    assert.doesNotMatch(text, /\sstyle=|\son\w+=|javascript:/);
  });

  it('holds what people wrote as text', () => {
    const evil = '"><img src=x onerror=alert(1)>';
    const text = page(
      aTeam({
        grants: [
          aGrant({ principal: { ...ANA, displayName: evil }, role: { ...aGrant().role, title: evil } }),
        ],
      }),
    );
    assert.doesNotMatch(text, /<img/);
  });

  it('tells the same in picture and table, and can be reached by keys', () => {
    const text = page(
      aTeam({ grants: [aGrant({ endsAt: at(2 * HOUR_MS) }), aGrant({ id: 'g2', state: 'revoke_stuck' })] }),
    );
    const bars = [...text.matchAll(/data-row="([^"]+)"/g)].map(([, id]) => id);
    const rows = [...text.matchAll(/<tr id="([^"]+)"/g)].map(([, id]) => id);
    assert.deepEqual([...bars].sort(), [...rows].sort());
    assert.equal(bars.length, 3);
    assert.equal(text.match(/<rect class="bar \w+"[^>]*role="button" aria-label="[^"]+"/g)?.length, 3);
    assert.deepEqual(
      [...text.matchAll(/data-act="(\w+)" data-grant="(\w+)"/g)].map(([, act, id]) => [act, id]),
      [
        ['extend', 'g1'],
        ['revoke', 'g1'],
      ],
    );
    assert.match(page(aTeam({ grants: [], leases: [] })), /Nobody in your teams holds anything/);
  });

  it('has a script that holds to its types', () => {
    const file = 'media/timeline/timeline.js';
    const program = ts.createProgram([file], {
      ...{ allowJs: true, checkJs: true, noEmit: true, strict: true, skipLibCheck: true },
      ...{
        target: ts.ScriptTarget.ES2023,
        lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
        types: [],
      },
    });
    const problems = ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
    assert.deepEqual(problems, []);
    assert.doesNotMatch(readFileSync(file, 'utf8'), /innerHTML|eval|fetch|import\(/);
  }).timeout(30_000);
});
