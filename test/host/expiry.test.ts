import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { showExpiry } from '../../src/extension/expiry/expiry-notification.ts';
import type { ExpiryWarning } from '../../src/extension/expiry/expiry-warnings.ts';
import { aGrant } from '../unit/extension/views.ts';
import { PersonAtWindow } from './person.ts';
import { stub } from './stub.ts';

describe('a warning of an end', () => {
  const END_MS = Date.parse('2026-11-23T11:00:05.000Z');
  const clock = { nowMs: () => END_MS - 14 * 60_000 };
  const warning = (title: string, isAsked = false): ExpiryWarning => ({
    grant: aGrant({ id: title, role: { ...aGrant().role, title } }),
    endsAtMs: END_MS,
    isAsked,
    key: title,
  });

  /** Shows warnings to somebody who presses a button, and gives what was extended. */
  async function extended(button: string, ...warnings: ExpiryWarning[]): Promise<[string, string[]]> {
    const ids: string[] = [];
    using person = new PersonAtWindow().press(/./, button);
    const commands = stub(
      vscode.commands,
      'executeCommand',
      (command: string, { grant }: { grant: { id: string } }) => {
        assert.equal(command, 'databricksMlOam.extendAccess');
        ids.push(grant.id);
        return Promise.resolve();
      },
    );
    try {
      await showExpiry(warnings, clock);
    } finally {
      commands[Symbol.dispose]();
    }
    assert.equal(person.told.length, 1);
    return [person.told[0] ?? '', ids];
  }

  it('extends with one click, one access or all of several', async () => {
    const [one, oneId] = await extended('Extend', warning('Query'));
    assert.match(one, /^Ends at .+: Query\. Extend it, or save what depends on it\.$/);
    assert.deepEqual(oneId, ['Query']);
    const [several, ids] = await extended(
      'Extend All',
      warning('Query'),
      warning('Deploy'),
      warning('Asked', true),
    );
    assert.match(several, /^About to end: Query at .+, Deploy at .+, Asked at .+ \(asked to extend\)\./);
    assert.deepEqual(ids, ['Query', 'Deploy']);
  });

  it('has no button where nobody has answered the request to extend', async () => {
    const [text, ids] = await extended('Extend', warning('Query', true));
    assert.match(text, /nobody has answered your request to extend it: Query/);
    assert.deepEqual(ids, []);
  });
});
