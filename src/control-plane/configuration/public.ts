import type { Configuration } from '../../protocol/configuration.ts';
import type { PolicyVersion } from '../policy/version.ts';
import type { ServerConfiguration } from './configuration.ts';

/** What a client is told before anybody has signed in. */
export function publicConfiguration(
  config: ServerConfiguration,
  policy: PolicyVersion,
  version: string,
): Configuration {
  const { issuer, clientId, audience, scopes, claims } = config.identity;
  return {
    product: 'databricks-ml-oam',
    version,
    identity: {
      ...{ issuer, clientId, audience, scopes: [...scopes], subjectClaim: claims.subject },
      databricksAttribute: claims.databricksAttribute,
    },
    workspaces: policy.catalogue.workspaces.map(({ name, host, tokenSource, signInClient }) => ({
      ...{ name, host, tokenSource },
      ...(signInClient !== undefined && { signInClient }),
    })),
    ...(config.sessions && { sessions: config.sessions }),
  };
}
