import { hostTrust, type RenewableToken } from '../../../src/databricks/index.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import {
  databricksCallbackPlace,
  type ExpectedPerson,
  signInToDatabricks,
  startCallbackServer,
} from '../../../src/identity/index.ts';
import { axiosTransport, type HttpTransport } from '../../../src/protocol/transport.ts';
import {
  type RunningSandboxDatabricks,
  signInAtDatabricks,
  startSandboxDatabricks,
} from '../../../src/sandbox/databricks/index.ts';
import { PEOPLE, type Person } from '../../../src/sandbox/identity-provider/index.ts';
import { userOf } from '../sandbox/token-user.ts';
import { movableClock } from './movable-clock.ts';

export const CLI = 'databricks-cli';
export const COMPANY_CLIENT = 'oam-sign-in';
const ISSUER = 'https://idp.example.com';

export const keyOf = ({ sub }: { readonly sub: string }) => ({ iss: ISSUER, sub });
export const expected = ({ sub }: Person): ExpectedPerson => ({
  subject: sub,
  databricksAttribute: 'externalId',
});
export const coded = (code: string) => (error: unknown) => hasCode(error, code);

export const transport = axiosTransport();

export const listen =
  (clientId = CLI) =>
  (state: string) =>
    startCallbackServer(state, databricksCallbackPlace(clientId));

/** The stand-in Databricks, as people sign in there themselves. */
export class DatabricksStage {
  databricks!: RunningSandboxDatabricks;
  readonly clock = movableClock();

  get host(): string {
    return this.databricks.workspaces.prod.host;
  }

  readonly placeAt = (change: { clientId?: string; host?: string; transport?: HttpTransport } = {}) => ({
    ...{ host: this.host, clientId: CLI, trust: hostTrust([this.host]), transport, clock: this.clock },
    ...change,
  });

  readonly signIn = (
    person: Person,
    o: { at?: Person; clientId?: string; as?: ExpectedPerson; transport?: HttpTransport } = {},
  ): Promise<RenewableToken> =>
    signInToDatabricks(this.placeAt(o), o.as ?? expected(person), {
      listen: listen(o.clientId),
      openBrowser: (url) => void signInAtDatabricks(url, o.at ?? person),
    });

  /** Whose a token is, by Databricks' own word. */
  readonly userOf = (token: string): Promise<string | undefined> => userOf(this.host, token);
}

/** To be called where the suite is described: it is set before the first of its tests, and taken down after the last. */
export function databricksStage(): DatabricksStage {
  const stage = new DatabricksStage();
  before(async () => {
    stage.databricks = await startSandboxDatabricks({
      identityProvider: { issuer: ISSUER, audience: 'nobody' },
      people: Object.values(PEOPLE),
      signInClients: [{ clientId: COMPANY_CLIENT, redirectUris: ['http://localhost:8020'] }],
      clock: stage.clock,
    });
  });
  after(() => stage.databricks.close());
  beforeEach(() => {
    stage.clock.aheadMs = 0;
    stage.databricks.tune({ showExternalIds: true });
  });
  return stage;
}
