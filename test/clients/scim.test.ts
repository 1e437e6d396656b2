import assert from 'node:assert/strict';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { ROOT } from '../../demo/stage/folders.ts';
import { startProcess } from '../../demo/stage/processes.ts';
import { DIRECTORY_TOKEN, startWorld } from '../parts/control-plane/world.ts';
import { clientPython } from './stage.ts';

const Check = z.object({ title: z.string(), status: z.string(), reason: z.string() });
type Check = z.infer<typeof Check>;

/** Where we do otherwise than the checks expect, on purpose. */
const DEVIATIONS: readonly { readonly title: string; readonly reason: RegExp; readonly because: string }[] = [
  {
    title: 'search_with_attributes',
    reason: /nothing at this address/,
    because: 'one search over people and groups together is optional, and nobody asks for it',
  },
  {
    title: 'check_remove_attribute',
    reason: /did not remove attribute 'active'/,
    because: 'a person is let in again by a word, never by silence',
  },
  {
    title: 'check_add_attribute',
    reason: /unexpected value for 'members'/,
    because:
      'what a member is called is what the directory calls the person, not what the client says beside it',
  },
  {
    title: 'check_replace_attribute',
    reason: /unexpected value for 'members'/,
    because: 'as above',
  },
];

describe('the directory, by a SCIM compliance client', () => {
  let checks: Check[] = [];

  before(async function () {
    const python = await clientPython(this);
    checks = await check(python.python);
  });

  it('passes its checks of discovery, creation, reading, search, change and removal', () => {
    const failed = checks.filter((one) => one.status !== 'SUCCESS' && one.status !== 'SKIPPED');
    const unexpected = failed.filter(
      (one) => !DEVIATIONS.some(({ title, reason }) => title === one.title && reason.test(one.reason)),
    );
    assert.deepEqual(unexpected, []);
    assert.ok(checks.filter((one) => one.status === 'SUCCESS').length >= 100, String(checks.length));
  });

  it('deviates only where it means to', () => {
    for (const { title, reason } of DEVIATIONS) {
      assert.ok(
        checks.some((one) => one.title === title && reason.test(one.reason)),
        title,
      );
    }
  });
});

async function check(python: string): Promise<Check[]> {
  const world = await startWorld({ directory: true });
  try {
    const checks: Check[] = [];
    const tester = startProcess({
      name: 'scim2-tester',
      command: python,
      arguments: [join(ROOT, 'test/clients/scim_compliance.py')],
      env: { ...process.env, SCIM_URL: `${world.url}/api/v1/scim/v2`, SCIM_TOKEN: DIRECTORY_TOKEN },
      onLine: (line) => checks.push(Check.parse(JSON.parse(line))),
    });
    const { code } = await tester.ended;
    assert.equal(code, 0, tester.tail());
    return checks;
  } finally {
    await world.close();
  }
}
