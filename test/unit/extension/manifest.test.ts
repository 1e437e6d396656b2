import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import * as z from 'zod';

import { bundlePath, collectTexts, renderBundle } from '../../../build/l10n.ts';
import { packagedPatterns } from '../../../build/package.ts';
import { PATH_ENDS } from '../../../src/broker/index.ts';
import { WANTED_FLOWS } from '../../../src/extension/authentication/sign-in-flow.ts';
import { MLFLOW_CHOICES } from '../../../src/extension/injection/mlflow-tracking.ts';
import {
  ACCESS_EMPTY_CONTEXT,
  ACCESS_VIEW,
  APPROVALS_EMPTY_CONTEXT,
  APPROVAL_NOTICES,
  APPROVALS_VIEW,
  APPROVES_CONTEXT,
  AUDIT_VIEW,
  COMMANDS,
  commandId,
  CONTROL_PLANE_URL,
  EXTENSION,
  EXTENSION_ID,
  inFlightContext,
  MLFLOW,
  OFFER_ON_DENIAL,
  PURPOSE_TEMPLATES,
  SIGN_IN_FLOW,
  TEAM_EMPTY_CONTEXT,
  TEAM_VIEW,
  TRUSTED_WORKSPACE_HOSTS,
  USE_KEYCHAIN,
  PAGES_CONTEXT,
  VIEW_CONTEXT,
  VIEW_STATES,
} from '../../../src/extension/product.ts';

const root = path.resolve(import.meta.dirname, '../../..');

const MenuEntry = z.object({ command: z.string(), when: z.string(), group: z.optional(z.string()) });

const Manifest = z.object({
  name: z.string(),
  publisher: z.string(),
  version: z.string(),
  icon: z.string(),
  main: z.string(),
  engines: z.object({ vscode: z.string() }),
  devDependencies: z.record(z.string(), z.string()),
  extensionKind: z.array(z.string()),
  activationEvents: z.array(z.string()),
  capabilities: z.object({
    untrustedWorkspaces: z.object({
      supported: z.literal('limited'),
      restrictedConfigurations: z.array(z.string()),
    }),
  }),
  contributes: z.object({
    authentication: z.array(z.object({ id: z.string() })),
    configuration: z.object({
      properties: z.record(
        z.string(),
        z.object({ scope: z.string(), enum: z.optional(z.array(z.string())) }),
      ),
    }),
    commands: z.array(
      z.object({ command: z.string(), title: z.string(), category: z.string(), enablement: z.string() }),
    ),
    menus: z.record(z.string(), z.array(MenuEntry)),
    views: z.record(
      z.string(),
      z.array(z.object({ id: z.string(), icon: z.string(), when: z.optional(z.string()) })),
    ),
    viewsWelcome: z.array(z.object({ view: z.string(), contents: z.string(), when: z.string() })),
    walkthroughs: z.array(
      z.object({
        steps: z.array(
          z.object({
            id: z.string(),
            media: z.object({ svg: z.string(), altText: z.string() }),
            completionEvents: z.array(z.string()).check(z.minLength(1)),
          }),
        ),
      }),
    ),
  }),
});

describe('the manifest of the extension', () => {
  const text = readFileSync(path.join(root, 'package.json'), 'utf8');
  const manifest = Manifest.parse(JSON.parse(text));
  const { contributes } = manifest;
  const nls = z
    .record(z.string(), z.string())
    .parse(JSON.parse(readFileSync(path.join(root, 'package.nls.json'), 'utf8')));

  it('names exactly the commands that the code registers', () => {
    assert.deepEqual(
      contributes.commands.map(({ command }) => command).sort(),
      COMMANDS.map(commandId).sort(),
    );
  });

  it('greys a command out while it runs', () => {
    for (const command of COMMANDS) {
      const entry = contributes.commands.find((candidate) => candidate.command === commandId(command));
      assert.match(
        entry?.enablement ?? '',
        new RegExp(`^!${inFlightContext(command).replaceAll('.', '\\.')}(?: |$)`),
      );
    }
  });

  it('offers what only approvers can do to nobody else', () => {
    for (const command of ['approve', 'deny', 'revoke', 'review'] as const) {
      const entry = contributes.commands.find((candidate) => candidate.command === commandId(command));
      assert(entry?.enablement.endsWith(` && ${APPROVES_CONTEXT}`), command);
    }
  });

  it('keeps out of the palette what works on a selected line alone', () => {
    const hidden = (contributes.menus['commandPalette'] ?? []).filter(({ when }) => when === 'false');
    const wanted = ['copyName', 'moreAuditRows', 'openInDatabricks'] as const;
    assert.deepEqual(hidden.map(({ command }) => command).sort(), wanted.map(commandId));
  });

  it('puts only its own commands into menus', () => {
    const own = new Set(COMMANDS.map(commandId));
    for (const entry of Object.values(contributes.menus).flat())
      assert(own.has(entry.command), entry.command);
  });

  it('has its views, each with an icon that is there', () => {
    const views = Object.values(contributes.views).flat();
    assert.deepEqual(
      views.map(({ id }) => id).sort(),
      [ACCESS_VIEW, APPROVALS_VIEW, TEAM_VIEW, AUDIT_VIEW].sort(),
    );
    for (const { icon } of views) assert(existsSync(path.join(root, icon)));
    assert(existsSync(path.join(root, manifest.icon)));
  });

  const welcomes = (wanted: string): string[] =>
    contributes.viewsWelcome.filter(({ view }) => view === wanted).map(({ when }) => when);

  it('welcomes in every state but the one in which it reads, and before there is one', () => {
    const states = VIEW_STATES.filter((state) => state !== 'starting' && state !== 'signedIn');
    assert.deepEqual(
      welcomes(ACCESS_VIEW).sort(),
      [
        `!${VIEW_CONTEXT}`,
        ...states.map((state) => `${VIEW_CONTEXT} == ${state}`),
        `${VIEW_CONTEXT} == signedIn && ${ACCESS_EMPTY_CONTEXT}`,
      ].sort(),
    );
  });

  it('says of an empty Approvals whether it could not be read, or is none', () => {
    assert.deepEqual(welcomes(APPROVALS_VIEW), [
      `${VIEW_CONTEXT} == unreachable`,
      `${VIEW_CONTEXT} == signedIn && ${APPROVALS_EMPTY_CONTEXT}`,
    ]);
    assert.deepEqual(welcomes(TEAM_VIEW), [`${VIEW_CONTEXT} == signedIn && ${TEAM_EMPTY_CONTEXT}`]);
    const view = Object.values(contributes.views)
      .flat()
      .find(({ id }) => id === APPROVALS_VIEW);
    assert.equal(view?.when, APPROVES_CONTEXT);
  });

  it('lets no workspace choose whom to trust', () => {
    const properties = contributes.configuration.properties;
    const names = [CONTROL_PLANE_URL, TRUSTED_WORKSPACE_HOSTS, SIGN_IN_FLOW].map(
      (name) => `${EXTENSION}.${name}`,
    );
    const others = [APPROVAL_NOTICES, OFFER_ON_DENIAL, PURPOSE_TEMPLATES].map(
      (name) => `${EXTENSION}.${name}`,
    );
    const keychain = `${EXTENSION}.${USE_KEYCHAIN}`;
    const mlflow = `${EXTENSION}.${MLFLOW}`;
    assert.deepEqual(Object.keys(properties).sort(), [...names, ...others, keychain, mlflow].sort());
    for (const name of [...names, ...others]) assert.equal(properties[name]?.scope, 'application', name);
    // No workspace can set this one either; each machine has a keychain of its own, or none.
    assert.equal(properties[keychain]?.scope, 'machine');
    // Where MLflow works in a folder that the person chose to work with OAM: to its workspace, or as without it.
    assert.equal(properties[mlflow]?.scope, 'resource');
    assert.deepEqual(properties[mlflow].enum, MLFLOW_CHOICES);
    assert.deepEqual(
      [...manifest.capabilities.untrustedWorkspaces.restrictedConfigurations].sort(),
      [...names, keychain].sort(),
    );
  });

  it('offers the ways to sign in that the code knows', () => {
    const setting = contributes.configuration.properties[`${EXTENSION}.${SIGN_IN_FLOW}`];
    assert.deepEqual(setting?.enum, WANTED_FLOWS);
  });

  it('runs beside terminals and kernels, and is awake before the first notebook', () => {
    assert.deepEqual(manifest.extensionKind, ['workspace']);
    assert(manifest.activationEvents.includes('onStartupFinished'));
    assert(manifest.activationEvents.includes('onNotebook:jupyter-notebook'));
    assert(manifest.activationEvents.includes('onUri'));
    assert.equal(`${manifest.publisher}.${manifest.name}`, EXTENSION_ID);
    assert.deepEqual(
      contributes.authentication.map(({ id }) => id),
      [EXTENSION],
    );
  });

  it('compiles against the oldest VS Code that it allows', () => {
    assert.equal(manifest.engines.vscode, `^${manifest.devDependencies['@types/vscode'] ?? ''}`);
  });

  it('has every text, and no text that nobody uses', () => {
    const used = [...text.matchAll(/"%([\w.]+)%"/g)].map((match) => match[1] ?? '');
    assert.deepEqual([...new Set(used)].sort(), Object.keys(nls).sort());
  });

  it('links welcome texts to commands that exist', () => {
    const links = Object.values(nls).flatMap((value) => [...value.matchAll(/\(command:([\w.]+)/g)]);
    const own = new Set(COMMANDS.map(commandId));
    for (const link of links) {
      const command = link[1] ?? '';
      assert(own.has(command) || command.startsWith('workbench.action.'), command);
    }
  });

  it('leads a new user from the address to giving access back, and ticks off what is done', () => {
    const [walkthrough, ...others] = contributes.walkthroughs;
    assert.deepEqual(others, []);
    assert.deepEqual(
      walkthrough?.steps.map(({ id }) => id),
      ['address', 'signIn', 'request', 'use', 'return'],
    );
    const own = COMMANDS.map((command) => `onCommand:${commandId(command)}`);
    // Without the first part what was so before the page was opened would never be ticked off.
    const inState = VIEW_STATES.map((state) => `${PAGES_CONTEXT} && ${VIEW_CONTEXT} == ${state}`);
    for (const event of walkthrough?.steps.flatMap(({ completionEvents }) => completionEvents) ?? [])
      if (event.startsWith('onContext:'))
        for (const term of event.slice('onContext:'.length).split(' || '))
          assert(inState.includes(term), event);
      else assert([...own, `onSettingChanged:${EXTENSION}.${CONTROL_PLANE_URL}`].includes(event), event);
  });

  it('paints its walkthrough in the colours of the theme, and with nothing that runs or loads', () => {
    const steps = contributes.walkthroughs.flatMap((walkthrough) => walkthrough.steps);
    const pictures = steps.map(({ media }) => media.svg);
    const there = readdirSync(path.join(root, 'media/walkthrough'));
    assert.deepEqual(pictures.sort(), there.map((name) => `media/walkthrough/${name}`).sort());
    for (const picture of pictures) {
      const svg = readFileSync(path.join(root, picture), 'utf8');
      // VS Code bars inline styles in a picture, so colours have to be attributes.
      assert.doesNotMatch(
        svg,
        /<(?:script|style|image|use|a|foreignObject)\b|\b(?:style|href|on\w+)=/i,
        picture,
      );
      for (const [, colour] of svg.matchAll(/(?:fill|stroke)="([^"]+)"/g))
        assert.match(colour ?? '', /^(?:none|var\(--vscode-.+\))$/, picture);
    }
  });

  it('has every text where a translator finds it', () => {
    const { texts, unreadable } = collectTexts();
    assert.deepEqual(unreadable, []);
    for (const { sentence } of Object.values(PATH_ENDS)) assert.equal(texts[sentence], sentence);
  });

  it('has its message bundle up to date (node build/l10n.ts)', () => {
    assert.equal(readFileSync(bundlePath, 'utf8'), renderBundle());
  });

  it('packs nothing but what runs, what is read and what is seen', async () => {
    assert.deepEqual(await packagedPatterns(), [
      'dist/extension/*.mjs',
      'dist/extension/node_modules/keytar/**',
      'dist/extension/notebook/oam_access.py',
      'l10n/bundle.l10n.de.json',
      manifest.icon,
      'media/activity-bar.svg',
      'media/walkthrough/*.svg',
      'media/timeline/*.js',
      'media/timeline/*.css',
      'package.json',
      'package.nls.json',
      'package.nls.de.json',
      'README.md',
      'CHANGELOG.md',
      'LICENSE',
      'SUPPORT.md',
      'SECURITY.md',
    ]);
  });
});
