import {
  type Broker,
  type BrokerPath,
  PATH_ENDS,
  type PersonTokenOptions,
  type Refusal,
  roleTokenSource,
} from '../../broker/index.ts';
import { CancelledError, OamError } from '../../domain/errors.ts';
import { type PrincipalKey, samePrincipal } from '../../domain/principal.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { notSignedIn } from '../../identity/index.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import type { Person } from './person.ts';

/** What {@link RolePaths} needs. */
export interface RolePathOptions {
  readonly broker: () => Promise<Broker>;
  /** The control plane of whoever is signed in; throws `not_signed_in`. */
  readonly client: () => ControlPlaneClient;
  readonly person: () => Person;
  /** A person's own sign-in for a workspace, for roles that are assumed. */
  readonly signIn: (host: string, principal: PrincipalKey) => PersonTokenOptions;
  /** The sign-in of whoever acts, by its id. */
  readonly signInId: () => string | undefined;
  readonly redactor: Redactor;
  readonly onRefusal: (refusal: Refusal) => void;
}

interface Opened {
  /** An extension follows the grant on the same path, so it is the chain that must live. */
  readonly chainId: string;
  /** Whose grant it is. */
  readonly principal: PrincipalKey;
}

/** Paths that answer as a role, each for one grant of one person. What has ended stays so, whoever signs in next. */
export class RolePaths {
  readonly #options: RolePathOptions;
  readonly #open = new Map<BrokerPath, Opened>();

  constructor(options: RolePathOptions) {
    this.#options = options;
  }

  /**
   * @throws {OamError} `not_signed_in`.
   * @throws {CancelledError} where somebody signed out or in while the broker was started.
   */
  async open({ id, chainId, role }: Pick<GrantView, 'id' | 'chainId' | 'role'>): Promise<BrokerPath> {
    const principal = this.#signedIn();
    if (principal === undefined) {
      throw notSignedIn();
    }
    const broker = await this.#options.broker();
    const now = this.#signedIn();
    if (now === undefined || !samePrincipal(now, principal)) throw new CancelledError();
    const { redactor, onRefusal, signIn, signInId } = this.#options;
    const { host } = role.workspace;
    const path = broker.open({
      host,
      source: roleTokenSource({
        grantId: id,
        client: this.#clientOf(principal),
        redactor,
        person: signIn(host, principal),
        session: signInId,
      }),
      onRefusal,
    });
    this.#open.set(path, { chainId, principal });
    return path;
  }

  /** Ends a path that nobody uses any more. */
  close(path: BrokerPath): void {
    path.end('closed');
    this.#open.delete(path);
  }

  /**
   * Ends the paths whose grants are not active any more, nor extended by one that is: a token that the broker still holds is good for a while, but
   * nobody gets it after the end.
   */
  endAllBut(grants: readonly Pick<GrantView, 'chainId' | 'state'>[]): void {
    const active = new Set(grants.filter(({ state }) => state === 'active').map(({ chainId }) => chainId));
    for (const [path, { chainId }] of this.#open) if (!active.has(chainId)) path.end('grant_ended');
  }

  /** Who is signed in has changed: paths of nobody, and of somebody else, have ended when this returns. */
  setPerson(person: Person): void {
    for (const [path, { principal }] of this.#open) {
      if (person.kind === 'nobody') path.end('signed_out');
      if (person.kind === 'signedIn' && !samePrincipal(person.principal, principal)) {
        path.end('principal_changed');
      }
    }
  }

  #signedIn(): PrincipalKey | undefined {
    const person = this.#options.person();
    return person.kind === 'signedIn' ? person.principal : undefined;
  }

  /** The control plane for one person: it refuses to ask for them as somebody else, for good. */
  #clientOf(principal: PrincipalKey): ControlPlaneClient {
    return {
      call: async (operation, input) => {
        const now = this.#signedIn();
        if (now !== undefined && !samePrincipal(now, principal)) {
          throw new OamError('principal_changed', PATH_ENDS.principal_changed.sentence);
        }
        return this.#options.client().call(operation, input);
      },
    };
  }
}
