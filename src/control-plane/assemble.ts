import type { FastifyInstance } from 'fastify';

import { hostTrust } from '../databricks/index.ts';
import { OamError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import { type Redactor, registerRecent } from '../domain/redaction.ts';
import { SECOND_MS } from '../domain/time.ts';
import type { HttpTransport } from '../protocol/transport.ts';
import { recordPolicyPublished, recordPolicyRefused, recordStart } from './audit/configuration-changes.ts';
import { createAuditDebt } from './audit/debt.ts';
import { createRefusedTokens } from './audit/refused-tokens.ts';
import { createSessionRecord } from './audit/sessions.ts';
import { createSessionLimitCheck } from './authentication/session-limits.ts';
import { type AuditWorkParts, type ReceiverHeaders, startAnchoring, startChaining } from './audit/work.ts';
import { createTokenVerifier } from './authentication/token-verifier.ts';
import { createCallbacks } from './callbacks/callbacks.ts';
import { resolveBySystem } from './callbacks/destination.ts';
import { createExchange } from './callbacks/exchange.ts';
import type { CallbackKeys } from './callbacks/keys.ts';
import { createSharedWork } from './callbacks/shared-work.ts';
import type { ServerConfiguration } from './configuration/configuration.ts';
import { publicConfiguration } from './configuration/public.ts';
import type { Core, LiveCore } from './core.ts';
import { admission } from './directory/admission.ts';
import { createGraphGroups } from './directory/graph-groups.ts';
import { addDirectory } from './directory/routes.ts';
import { registerGroups } from './effects/adoption.ts';
import { startHousekeeping } from './loops/housekeeping.ts';
import type { Loop } from './loops/loop.ts';
import { startSweeper, type Sweeper } from './effects/sweeper.ts';
import { createWorkspaces, workspacesOf } from './effects/workspaces.ts';
import { type EventWatch, watchEvents } from './events/watch.ts';
import { createApp } from './http/app.ts';
import { createCallerLimits } from './http/limits.ts';
import { createMetrics } from './http/metrics.ts';
import { createOperations } from './http/operations.ts';
import { addSurroundings } from './http/surroundings.ts';
import { createIssuer, type Issuer } from './issuer/issuer.ts';
import { startKeyRotation } from './issuer/rotation.ts';
import { rotationRules } from './issuer/settings.ts';
import { createSeal, type SealKeys } from './issuer/seal.ts';
import { openSigningKey } from './issuer/signing-key.ts';
import { startTokenWork } from './personal-tokens/work.ts';
import { startReconciler } from './reconciler/reconciler.ts';
import { noticeRestore } from './reconciler/restore.ts';
import { addLinkPage } from './notices/page.ts';
import type { Receivers } from './notices/receivers.ts';
import { startNotices } from './notices/work.ts';
import { createLivePolicy } from './policy/live.ts';
import { type PolicySource, startPolicyReload } from './policy/reload.ts';
import type { PolicyVersion } from './policy/version.ts';
import { startRequestWork } from './requests/work.ts';
import type { Store } from './store/store.ts';
import { createTokenInventory } from './team/token-inventory.ts';
import type { TeamTokenParts } from './team/tokens.ts';
import { withRunners } from './runners/tokens.ts';
import { startRunnerWork } from './runners/work.ts';
import { withWorkloads } from './workloads/sessions.ts';
import { createSubjectTokenVerifier } from './workloads/subject-token.ts';
import { addTokenEndpoint } from './workloads/token-endpoint.ts';

/** Everything that a control plane is made of. */
export interface Ingredients {
  readonly config: ServerConfiguration;
  readonly store: Pick<Store, 'db'>;
  /** What decides from the start on. */
  readonly policy: PolicyVersion;
  /** Where the versions after it come from. */
  readonly policySource?: PolicySource;
  readonly transport: HttpTransport;
  readonly redactor: Redactor;
  readonly logger: Logger;
  readonly secrets: {
    readonly databricksClientSecret: string;
    /** Of the service principal that makes personal access tokens; undefined where there is none. */
    readonly tokenClientSecret: string | undefined;
    /** Of the service principal that reads what leads look at; undefined where there is none. */
    readonly readerClientSecret: string | undefined;
    readonly sealKeys: SealKeys;
    /** What the directory's provisioning client may present; empty where there is none. */
    readonly directoryTokens: readonly string[];
    /** Of OAM's application in Entra ID, where lists of groups are completed from there. */
    readonly graphClientSecret: string | undefined;
    /** What opens the doors of those outside who keep the audit trail. */
    readonly receiverHeaders: ReceiverHeaders;
    /** Who takes notices, with what opens their doors. */
    readonly noticeReceivers: Receivers;
    /** What questions to callbacks are signed with. */
    readonly callbackKeys: CallbackKeys;
  };
  /** Signing keys that cannot be unsealed are lost for good. */
  readonly signingKeysLost: boolean;
  readonly version: string;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  /** Writes a line to standard output. */
  readonly print: (line: string) => void;
}

/** A control plane that was put together and listens to nobody yet. */
export interface Assembly {
  readonly app: FastifyInstance;
  /** Begins the work behind the answers. The URL is the issuer of its tokens. */
  begin(publicUrl: string): Promise<void>;
  /** Looks at the policy folder now rather than at the next beat. */
  reloadPolicy(): void;
  /** Ends it: no new work, the calls under way finished. */
  end(): Promise<void>;
}

const EVENTS_EVERY_MS = 500;

/** How many personal access tokens that were made last are masked by their values; the others by their form. */
const TOKENS_MASKED = 100;

/** Puts the parts together. Only here are the concrete ones known. */
export function assembleControlPlane(ingredients: Ingredients): Assembly {
  const { config, store, logger, redactor, transport } = ingredients;
  const { db } = store;
  const pollMs = Math.min(config.effects.pollMs, SECOND_MS);
  let sweeper: Sweeper | undefined;
  let reconciler: Loop | undefined;
  let requests: Loop | undefined;
  let reload: Loop | undefined;
  let issuer: Issuer | undefined;
  let keys: Loop | undefined;
  let tokens: Loop | undefined;
  let anchoring: Pick<Loop, 'stop'> | undefined;
  let notices: Pick<Loop, 'wake' | 'stop'> | undefined;
  const watch: EventWatch = watchEvents(db, EVENTS_EVERY_MS, logger);
  const policy = createLivePolicy(ingredients.policy);
  const metrics = createMetrics(config.requests.reviewHours);
  const standing: Omit<Core, 'policy'> = {
    db,
    logger,
    debt: createAuditDebt(config.dataFolder, logger),
    directory: config.directory,
    callbacks: createCallbacks({
      settings: config.callbacks,
      keys: ingredients.secrets.callbackKeys,
      exchange: createExchange({ resolve: resolveBySystem }),
      redactor,
      logger,
      count: (labels) => {
        metrics.count('oam_callbacks_total', labels);
      },
      clock: () => performance.now(),
      version: ingredients.version,
    }),
    verifications: createSharedWork(),
    lapseMinutes: config.requests.lapseMinutes,
    wake: () => {
      sweeper?.wake();
      tokens?.wake();
      watch.wake();
      notices?.wake();
    },
  };
  const atPresent = (): Core => ({ ...standing, policy: policy.current() });
  const core: LiveCore = { ...standing, atPresent };
  const readyIssuer = (): Issuer => {
    if (issuer === undefined) {
      throw new OamError('store_unavailable', 'The control plane is starting. Try again in a second.');
    }
    return issuer;
  };
  const tokenWorkspaces = workspacesOf({
    ...{ transport, redactor },
    tier: config.databricks.pat,
    clientSecret: ingredients.secrets.tokenClientSecret,
  });
  const mask = registerRecent(redactor, TOKENS_MASKED);
  const teamTokens: TeamTokenParts = {
    inventory: createTokenInventory({
      workspaces: workspacesOf({
        ...{ transport, redactor },
        tier: config.databricks.reader,
        clientSecret: ingredients.secrets.readerClientSecret,
      }),
      ...{ redactor, logger },
      elapsedMs: () => performance.now(),
    }),
    issuer: config.identity.issuer,
    databricksAttribute: config.identity.claims.databricksAttribute,
  };
  const refusedTokens = createRefusedTokens(core);
  const limits = createCallerLimits(config.limits);
  const app = createApp({
    core,
    operations: (present) =>
      createOperations({
        core: present,
        teamTokens,
        configuration: () => publicConfiguration(config, present.policy, ingredients.version),
        credentials: () => ({
          core: present,
          issuer: readyIssuer(),
          accountId: config.databricks.accountId,
          trust: hostTrust(present.policy.catalogue.workspaces.map(({ host }) => host)),
          transport,
          personalTokens: tokenWorkspaces && { workspaces: tokenWorkspaces, mask },
        }),
      }),
    verifier: withRunners(withWorkloads(createTokenVerifier(config.identity, transport), db), standing),
    admit: admission(
      db,
      config.directory,
      config.identity.graph &&
        createGraphGroups({
          access: config.identity.graph,
          clientSecret: ingredients.secrets.graphClientSecret ?? '',
          ...{ transport, redactor, logger },
        }),
    ),
    limits,
    sessionLimits: createSessionLimitCheck(db, config.sessions, logger),
    sessions: createSessionRecord(core),
    refusedTokens,
    watch,
    metrics,
    redactor,
  });
  addTokenEndpoint(app, {
    core,
    redactor,
    metrics,
    refusedTokens,
    limits,
    verifier: config.workloads && createSubjectTokenVerifier(config.workloads, transport),
  });
  if (config.directory !== undefined) {
    addDirectory(app, {
      core,
      redactor,
      refusedTokens,
      link: config.directory,
      tokens: ingredients.secrets.directoryTokens,
    });
  }
  addSurroundings(app, {
    ...{ db, debt: core.debt, metrics, policy },
    ...{ issuer: readyIssuer, version: ingredients.version },
  });
  if (config.notices !== undefined) addLinkPage(app, config.notices.editor);

  const audit: AuditWorkParts = {
    ...{ db, debt: core.debt, refusedTokens, logger, redactor, transport },
    ...{ random: ingredients.random, version: ingredients.version, print: ingredients.print },
    ...{ config: config.audit, headers: ingredients.secrets.receiverHeaders },
  };
  const chaining = startChaining(audit);
  const runners = startRunnerWork(core);
  const housekeeping = startHousekeeping(db, logger);

  return {
    app,
    async begin(publicUrl) {
      issuer = await createIssuer(store, {
        publicUrl,
        sealKeys: ingredients.secrets.sealKeys,
        rotation: rotationRules(config.issuer),
        logger,
        keysLost: ingredients.signingKeysLost,
      });
      keys = startKeyRotation(issuer, pollMs, logger);
      // Before anything is done on the word of a store that may be an old one.
      await noticeRestore(core, config.audit.anchors.folder);
      const seal = createSeal(ingredients.secrets.sealKeys);
      anchoring = await startAnchoring(audit, await openSigningKey(store, seal, 'audit-anchors'));
      await recordStart(core, config, policy.current(), ingredients.version);
      await registerGroups(db, policy.current().catalogue);
      notices = startNotices({
        ...{ db, debt: core.debt, logger, redactor, metrics, transport, publicUrl, pollMs },
        ...{ random: ingredients.random, settings: config.notices, directory: config.directory },
        receivers: ingredients.secrets.noticeReceivers,
      });
      requests = startRequestWork(core, pollMs);
      const workspaces = createWorkspaces({
        clientId: config.databricks.clientId,
        clientSecret: ingredients.secrets.databricksClientSecret,
        transport,
        redactor,
      });
      sweeper = startSweeper(
        {
          ...core,
          workspaces,
          accountId: config.databricks.accountId,
          databricksAttribute: config.identity.claims.databricksAttribute,
          redactor,
          absenceConfirmMs: config.effects.absenceConfirmMs,
          random: ingredients.random,
        },
        pollMs,
      );
      tokens = startTokenWork(
        {
          ...core,
          workspaces: tokenWorkspaces,
          catalogue: () => policy.current().catalogue,
          redactor,
          absenceConfirmMs: config.effects.absenceConfirmMs,
          everySeconds: config.reconciler.everySeconds,
          random: ingredients.random,
        },
        pollMs,
      );
      reconciler = startReconciler(
        {
          ...core,
          workspaces,
          redactor,
          settings: config.reconciler,
          absenceConfirmMs: config.effects.absenceConfirmMs,
        },
        pollMs,
      );
      reload =
        ingredients.policySource &&
        startPolicyReload({
          live: policy,
          source: ingredients.policySource,
          prepare: async (version) => {
            await registerGroups(db, version.catalogue);
            await recordPolicyPublished(core, version);
          },
          recordRefused: (problems, contentHash) => recordPolicyRefused(core, problems, contentHash),
          changed: () => {
            requests?.wake();
            core.wake();
          },
          logger,
        });
    },
    reloadPolicy() {
      reload?.wake();
    },
    async end() {
      await Promise.all([
        reload?.stop(),
        sweeper?.stop(),
        reconciler?.stop(),
        requests?.stop(),
        notices?.stop(),
        keys?.stop(),
        tokens?.stop(),
        watch.stop(),
        chaining.stop(),
        anchoring?.stop(),
        runners.stop(),
        housekeeping.stop(),
      ]);
    },
  };
}
