import type { Logger } from '../../domain/logger.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { Stoppable } from '../changes.ts';
import type { AccessData } from './access-data.ts';

/** What a part needs that keeps its own picture beside that of the person's access, and begins anew with the next person. */
export interface AccessFollowerOptions {
  readonly model: {
    readonly data: AccessData | undefined;
    readonly onDidChange: (listener: () => void) => Stoppable;
  };
  /** The control plane of whoever is signed in; throws where nobody is. */
  readonly client: () => ControlPlaneClient;
  readonly logger: Logger;
}
