import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import {
  createSessionKeeper,
  type DiscoveredIdentityProvider,
  memorySessionStore,
  processRefreshLock,
  type Session,
  type SessionKeeper,
  type SessionKeeperOptions,
  type SessionStore,
} from '../../../src/identity/index.ts';
import { parseSession } from '../../../src/identity/session.ts';
import {
  PEOPLE,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { movableClock } from './movable-clock.ts';
import { discover, signIn } from './sign-in.ts';

/** A provider for a whole suite, and for each test a store, a clock and a session of Ana's. */
export class KeeperStage {
  idp!: RunningIdentityProvider;
  discovered!: DiscoveredIdentityProvider;
  /** Tokens are issued by a provider that knows only the real time. */
  clock = movableClock();
  store: SessionStore = memorySessionStore();
  session!: Session;

  /** A window's keeper. */
  readonly keeperWith = (changes: Partial<SessionKeeperOptions> = {}): SessionKeeper =>
    createSessionKeeper({
      store: this.store,
      lock: processRefreshLock(),
      identityProvider: () => Promise.resolve(this.discovered),
      clock: this.clock,
      logger: silentLogger,
      redactor: createRedactor(),
      random: () => 0,
      ...changes,
    });

  /** Ten minutes of life: half a minute before the end of the access token, five after that of the ID token. */
  readonly nearTheEnd = (): void => {
    this.clock.aheadMs = 570_000;
  };

  readonly stored = async (): Promise<Session | undefined> => parseSession((await this.store.read()) ?? '');
}

/** To be called where the suite is described: it is set before each of its tests, and taken down after the last. */
export function keeperStage(): KeeperStage {
  const stage = new KeeperStage();
  before(async () => {
    stage.idp = await startIdentityProvider();
    stage.discovered = await discover(stage.idp);
  });
  after(() => stage.idp.close());
  beforeEach(async () => {
    stage.clock = movableClock();
    stage.store = memorySessionStore();
    stage.session = await signIn(stage.discovered, PEOPLE.ana);
  });
  return stage;
}
