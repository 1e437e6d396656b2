import { minutesToMs } from '../../domain/time.ts';
import { RuleSets } from './access-control/rule-sets.ts';
import { ruleSetRoutes } from './access-control/routes.ts';
import { Directory } from './account/directory.ts';
import { Memberships } from './account/memberships.ts';
import { ObjectRights } from './account/object-rights.ts';
import { Securables } from './account/securables.ts';
import { TokenBook } from './account/tokens.ts';
import type { Place, WorkspaceKey } from './places.ts';
import { clusterRoutes } from './compute/routes.ts';
import { featureRoutes } from './feature-engineering/routes.ts';
import { type Door, type Doorway, openDoor } from './http/listener.ts';
import { Router } from './http/router.ts';
import { Throttle } from './http/throttle.ts';
import { identityRoutes } from './identity/routes.ts';
import { lakebaseRoutes } from './lakebase/routes.ts';
import { jobRoutes } from './jobs/routes.ts';
import { experimentRoutes } from './mlflow/routes.ts';
import { authorizeRoutes } from './oauth/authorize-page.ts';
import { accountDiscoveryRoutes, workspaceDiscoveryRoutes } from './oauth/discovery.ts';
import { Federation } from './oauth/federation.ts';
import { federationPolicyRoutes } from './oauth/policies.ts';
import { Secrets } from './oauth/secrets.ts';
import { tokenRoute } from './oauth/token-endpoint.ts';
import { UserSignIns } from './oauth/user-sign-ins.ts';
import type {
  InjectedFailure,
  RecordedRequest,
  RunningSandboxDatabricks,
  SandboxDatabricksOptions,
} from './options.ts';
import { permissionRoutes } from './permissions/routes.ts';
import { accountScimRoutes, workspaceScimRoutes } from './scim/routes.ts';
import { seedUnityCatalog, seedWorkspace } from './seed/assets.ts';
import { SEED } from './seed/identities.ts';
import { servingRoutes } from './serving/routes.ts';
import { tokenRoutes } from './tokens/routes.ts';
import { unityCatalogRoutes } from './unity-catalog/routes.ts';
import type { Workspace, World } from './world.ts';

const RULE_SETS = '/api/2.0/preview/accounts/access-control';
const ACCOUNT_RULE_SETS = `/api/2.0/preview/accounts/${SEED.accountId}/access-control`;

/** The most calls that are remembered. */
const MAX_RECORDED = 10_000;

/**
 * Starts the stand-in account with its two workspaces on loopback.
 *
 * @throws {OamError} `port_taken` when a port that was asked for is in use; nothing is left running then.
 */
export async function startSandboxDatabricks(
  options: SandboxDatabricksOptions,
): Promise<RunningSandboxDatabricks> {
  const world = await createWorld(options);
  const signIns = new UserSignIns(world.directory, world.clock, options.signInClients);
  const recorded: RecordedRequest[] = [];
  const failures: InjectedFailure[] = [];
  const throttle = new Throttle(world.clock);
  const doorway: Doorway = {
    world,
    clock: world.clock,
    throttle,
    failures,
    answerDelayMs: 0,
    record: (request) => {
      recorded.push(request);
      if (recorded.length > MAX_RECORDED) recorded.shift();
    },
  };

  const doors: Door[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(doors.map((door) => door.close()));
  };
  const open = async (place: Place, router: Router): Promise<void> => {
    const door = await openDoor(doorway, place, router, options.ports?.[place] ?? 0);
    doors.push(door);
    world.hosts[place] = door.host;
  };
  try {
    await open('account', accountRouter(world, signIns));
    await open('prod', workspaceRouter(workspaceOf(world, 'prod'), signIns, options));
    await open('dev', workspaceRouter(workspaceOf(world, 'dev'), signIns, options));
  } catch (error) {
    await close();
    throw error;
  }

  const setControlPlaneIssuer = (issuer: string): void => {
    world.federation.byServicePrincipal.set(SEED.servicePrincipals.recsysDeployer.id, [
      {
        id: 'oam',
        issuer,
        audiences: [SEED.accountId],
        subjectClaim: 'oam_role',
        subject: SEED.deployerRole,
        keys: { kind: 'discovery' },
      },
    ]);
  };
  if (options.controlPlaneIssuer !== undefined) setControlPlaneIssuer(options.controlPlaneIssuer);

  return {
    account: { host: world.hosts.account, accountId: SEED.accountId },
    workspaces: {
      prod: { ...SEED.workspaces.prod, host: world.hosts.prod },
      dev: { ...SEED.workspaces.dev, host: world.hosts.dev },
    },
    coreCredentials: world.secrets.of(SEED.servicePrincipals.core),
    adminCredentials: world.secrets.of(SEED.servicePrincipals.admin),
    tokenCredentials: world.secrets.of(SEED.servicePrincipals.tokens),
    readerCredentials: world.secrets.of(SEED.servicePrincipals.reader),
    tune: (tuning) => {
      if (tuning.membershipLagMs !== undefined) world.memberships.lagMs = tuning.membershipLagMs;
      if (tuning.rateLimitPerMinute !== undefined) throttle.perPrincipalAMinute = tuning.rateLimitPerMinute;
      if (tuning.keepIssuerKeysMs !== undefined) world.federation.issuerKeys.keepMs = tuning.keepIssuerKeysMs;
      if (tuning.tokenLagMs !== undefined) world.tokens.listLagMs = tuning.tokenLagMs;
      if (tuning.showExternalIds !== undefined) world.showsExternalIds = tuning.showExternalIds;
      if (tuning.cloud !== undefined) world.cloud = tuning.cloud;
      if (tuning.limits !== undefined) throttle.limit(tuning.limits);
      if (tuning.answerDelayMs !== undefined) doorway.answerDelayMs = tuning.answerDelayMs;
      if (tuning.failNext !== undefined && tuning.failNext.count > 0) failures.push(tuning.failNext);
    },
    setControlPlaneIssuer,
    members: (groupId) => [...world.memberships.written(groupId)],
    removeMember: (groupId, memberId) => {
      world.memberships.write(groupId, memberId, false);
    },
    endSignIns: (userName) => {
      const user = world.directory.userByName(userName);
      if (user !== undefined) signIns.end(user.id);
    },
    deleteGroup: (groupId) => {
      world.directory.groups.delete(groupId);
      world.memberships.forget(groupId);
    },
    personalAccessToken: (workspace, userName, made) => {
      const principal = world.directory.userByName(userName);
      if (principal === undefined) throw new TypeError(`No such user: ${userName}`);
      return world.tokens.issuePersonal({
        principal,
        createdBy: principal,
        place: workspace,
        comment: made?.comment ?? 'made in the web page',
        lifetimeSeconds: made === undefined ? minutesToMs(60) / 1_000 : made.lifetimeSeconds,
        ageSeconds: made?.ageSeconds ?? 0,
      }).token;
    },
    personalAccessTokens: (workspace) =>
      world.tokens
        .personal(workspace)
        .map(({ principalId, ...token }) => ({ ...token, ownerId: principalId })),
    deletePersonalAccessToken: (id) => {
      world.tokens.revoke(id);
    },
    requests: () => [...recorded],
    close,
  };
}

async function createWorld(options: SandboxDatabricksOptions): Promise<World> {
  const clock = options.clock ?? { nowMs: () => Date.now() };
  const memberships = new Memberships(clock);
  const jitGroups = [...Object.values(SEED.jitGroups), ...(options.jitGroups ?? [])];
  const directory = new Directory(options.people, jitGroups, memberships);
  for (const { id, memberIds } of options.jitGroups ?? []) memberships.seed(id, memberIds);
  const securables = new Securables(directory);
  const federation = new Federation(directory, clock);
  federation.accountWide.push({
    id: 'company-sign-in',
    issuer: options.identityProvider.issuer,
    audiences: [options.identityProvider.audience],
    subjectClaim: 'email',
    subject: undefined,
    keys: { kind: 'discovery' },
  });
  const rights = { prod: new ObjectRights(directory), dev: new ObjectRights(directory) };
  return {
    clock,
    memberships,
    directory,
    tokens: await TokenBook.create(clock),
    secrets: new Secrets(directory),
    federation,
    ruleSets: new RuleSets(jitGroups),
    securables,
    accountAssets: seedUnityCatalog(securables),
    rights,
    assets: { prod: seedWorkspace('prod', rights.prod), dev: seedWorkspace('dev', rights.dev) },
    cloud: 'aws',
    showsExternalIds: true,
    tokenSeconds: options.tokenSeconds ?? 3_600,
    hosts: { account: '', prod: '', dev: '' },
  };
}

function workspaceOf(world: World, key: WorkspaceKey): Workspace {
  return { world, key, id: SEED.workspaces[key].id, rights: world.rights[key], assets: world.assets[key] };
}

function workspaceRouter(
  workspace: Workspace,
  signIns: UserSignIns,
  { lakebase }: SandboxDatabricksOptions,
): Router {
  const { world, key } = workspace;
  return new Router([
    ...workspaceDiscoveryRoutes(world, key),
    ...authorizeRoutes(world, signIns, key),
    tokenRoute(world, signIns, key),
    ...workspaceScimRoutes(world),
    ...identityRoutes(world),
    ...ruleSetRoutes(world, RULE_SETS),
    ...permissionRoutes(workspace),
    ...unityCatalogRoutes(world),
    ...featureRoutes(world),
    ...servingRoutes(workspace),
    ...experimentRoutes(workspace),
    ...clusterRoutes(workspace),
    ...jobRoutes(workspace),
    ...tokenRoutes(workspace),
    ...lakebaseRoutes(world, lakebase),
  ]);
}

function accountRouter(world: World, signIns: UserSignIns): Router {
  return new Router([
    ...accountDiscoveryRoutes(world),
    ...authorizeRoutes(world, signIns, 'account'),
    tokenRoute(world, signIns, 'account'),
    ...accountScimRoutes(world),
    ...ruleSetRoutes(world, ACCOUNT_RULE_SETS),
    ...federationPolicyRoutes(world),
  ]);
}
