import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { parseServerConfiguration } from '../../../../src/control-plane/configuration/configuration.ts';
import { FileProblemsError } from '../../../../src/control-plane/configuration/problems.ts';
import { plainLine } from '../../../../src/control-plane/notices/plain-line.ts';
import { readReceivers } from '../../../../src/control-plane/notices/receivers.ts';
import { NoticeSettings } from '../../../../src/control-plane/notices/settings.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import { SERVER_FILE } from '../configuration/server-file.ts';

const parse = (notices: string) =>
  parseServerConfiguration('/etc/oam/oam.yaml', `${SERVER_FILE}notices:\n${notices}`, {});

const problems = (notices: string): string[] => {
  try {
    parse(notices);
  } catch (error) {
    assert.ok(error instanceof FileProblemsError, String(error));
    return error.problems.map(({ message }) => message);
  }
  return [];
};

describe('the settings of notices', () => {
  it('say where secrets lie, found from where the file is', () => {
    const { notices } = parse(`
  slack: [{ name: chat, url: file:secrets/slack }]
  mail: { host: 127.0.0.1, port: 25, security: none, from: oam@example.com, caFile: ca.pem }
  teams: { recsys: [chat] }
`);
    assert.equal(notices?.slack[0]?.url, 'file:/etc/oam/secrets/slack');
    assert.equal(notices.mail?.caFile, '/etc/oam/ca.pem');
    assert.deepEqual([notices.remindMinutes, notices.giveUpHours, notices.editor], [60, 24, 'vscode']);
    assert.equal(parseServerConfiguration('/x.yaml', SERVER_FILE, {}).notices, undefined);
  });

  it('are strict, and say what was meant', () => {
    assert.deepEqual(problems('  slak: []\n'), ["Unknown key 'slak' in 'notices'. Did you mean 'slack'?"]);
    assert.deepEqual(problems('  slack: [{ name: chat, uri: env:X }]\n  operations: [chat]\n'), [
      "'notices.slack.0.url' is missing.",
      "Unknown key 'uri' in 'notices.slack.0'. Did you mean 'url'?",
    ]);
    assert.deepEqual(
      problems('  slack: [{ name: recsys-chat, url: env:X }]\n  teams: { recsys: [recsys-caht] }\n'),
      [
        "'notices' has a channel that no team, no role and not operations is told by: recsys-chat",
        "'notices.teams.recsys' names a channel that there is not: recsys-caht. Did you mean 'recsys-chat'?",
      ],
    );
    assert.deepEqual(
      problems(
        '  slack: [{ name: chat, url: https://hooks.slack.com/services/T/B/X }]\n  operations: [chat]\n',
      ),
      ["'notices.slack.0.url' must be env:NAME or file:path; the value itself never stands in this file."],
    );
    for (const [notices, fault] of [
      [
        '  slack: [{ name: a, url: env:X }]\n  webhooks: [{ name: a, url: env:X, secret: env:Y }]\n  operations: [a]\n',
        /whose name is taken: a/,
      ],
      [
        '  slack: [{ name: requesters, url: env:X }]\n  operations: [requesters]\n',
        /whose name is taken: requesters/,
      ],
      [
        '  mail: { host: smtp.example.com, port: 25, security: none, from: oam@example.com }\n',
        /only for 127.0.0.1/,
      ],
      ['  mail: { host: smtp.example.com, port: 25, user: oam, from: oam@example.com }\n', /go together/],
      [
        '  mail: { host: smtp.example.com, port: 25, from: "OAM <oam@example.com>" }\n',
        /must be a mail address/,
      ],
      ['  mail: { host: h, port: 25, from: "a@b.c\\r\\nBcc: d@e.f" }\n', /must be a mail address/],
      ['  editor: javascript\n', /must be one of vscode/],
    ] as const) {
      assert.ok(
        problems(notices).some((problem) => fault.test(problem)),
        `${notices}${problems(notices).join()}`,
      );
    }
  });

  it('are read with what they name, which is masked from then on and checked without being told', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'oam-notices-'));
    try {
      const file = path.join(folder, 'slack');
      await writeFile(file, 'https://hooks.example.com/services/T0/B0/the-secret-part\n');
      const redactor = createRedactor();
      const settings = (url: string) =>
        NoticeSettings.parse({ slack: [{ name: 'chat', url }], operations: ['chat'] });
      const { channels } = await readReceivers(settings(`file:${file}`), redactor, {});
      assert.deepEqual(channels, [
        { kind: 'slack', name: 'chat', url: 'https://hooks.example.com/services/T0/B0/the-secret-part' },
      ]);
      assert.doesNotMatch(redactor.redact('POST /services/T0/B0/the-secret-part failed'), /the-secret-part/);
      for (const [value, code] of [
        ['http://hooks.example.com/services/the-secret-part', 'notice_receiver_unusable'],
        ['https://a:the-secret-part@hooks.example.com', 'notice_receiver_unusable'],
        ['the-secret-part', 'notice_receiver_unusable'],
        ['', 'secret_missing'],
      ] as const) {
        await assert.rejects(readReceivers(settings('env:URL'), redactor, { URL: value }), (error: Error) => {
          assert.equal('code' in error && error.code, code);
          assert.doesNotMatch(error.message, /the-secret-part/);
          return true;
        });
      }
      await assert.rejects(readReceivers(settings(`file:${folder}/none`), redactor, {}), {
        code: 'secret_missing',
      });
      const hook = NoticeSettings.parse({
        webhooks: [{ name: 'h', url: 'env:URL', secret: 'env:KEY' }],
        operations: ['h'],
      });
      const environment = { URL: 'http://127.0.0.1:1/x?sig=y', KEY: 'whsec_c2hvcnQ=' };
      await assert.rejects(readReceivers(hook, redactor, environment), { code: 'secret_malformed' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('a line of text that people wrote', () => {
  it('is one line of what can be seen, cut by characters', () => {
    assert.equal(plainLine(' a\r\nb\u2028c\t\u0000d\u0085e ', 20), 'a b c d e');
    assert.equal(plainLine('\u202eabc\u2066\u200b\ufeff\u{e0041}', 20), 'abc');
    assert.equal(plainLine('👩\u200d🔬 नि\u200cष', 20), '👩\u200d🔬 नि\u200cष');
    assert.equal(plainLine('𝒳'.repeat(11), 10), `${'𝒳'.repeat(9)}…`);
    assert.equal(plainLine('\ud800x', 10), '\ufffdx');
    assert.equal(plainLine('x'.repeat(10), 10), 'x'.repeat(10));
  });
});
