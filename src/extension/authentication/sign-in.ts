import * as vscode from 'vscode';

import { CancelledError, hasCode } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import { type Clock, HOUR_MS, SECOND_MS } from '../../domain/time.ts';
import {
  type AuthorizationCodeOptions,
  type DiscoveredIdentityProvider,
  type Seat,
  type Session,
  signInWithAuthorizationCode,
  signInWithDeviceCode,
  signInWithLoopback,
  type Who,
} from '../../identity/index.ts';
import { withCancellableProgress } from '../commands/progress.ts';
import type { Connection } from '../connection/connection.ts';
import { commandId, PRODUCT } from '../product.ts';
import { offerCode } from './device-code-prompt.ts';
import { openPage } from './open-page.ts';
import { type SignInFlow, signInFlows, type WantedFlow } from './sign-in-flow.ts';
import type { UriCallbacks } from './uri-callbacks.ts';

/** What {@link SignIn} needs. */
export interface SignInOptions {
  readonly connection: Pick<Connection, 'signIn' | 'limits'>;
  readonly uriCallbacks: Pick<UriCallbacks, 'listen'>;
  /** Told that the person does something. */
  readonly acted: () => void;
  /** The setting's present value. */
  readonly wantedFlow: () => WantedFlow;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Who is to sign in, and what becomes of whoever acts; see {@link Connection.signIn}. */
export interface SignInWish {
  readonly seat?: Seat;
  readonly who?: Who | undefined;
  /** Whoever is signed in, and signs in anew: without being asked where the browser still knows them. */
  readonly again?: AuthorizationCodeOptions['again'];
}

interface Attempt {
  readonly identityProvider: DiscoveredIdentityProvider;
  readonly who: Who | undefined;
  readonly again: AuthorizationCodeOptions['again'];
  readonly cancelled: AbortSignal;
  readonly say: (message: string) => void;
}

/** Signs in at the company's identity provider, in the way that works where VS Code runs. */
export class SignIn {
  readonly #options: SignInOptions;
  /** Gives up what waits for the browser and goes on with a code; undefined while nothing waits. */
  #useCode: (() => void) | undefined;

  constructor(options: SignInOptions) {
    this.#options = options;
  }

  /** @throws what {@link Connection.signIn} and the flows throw. */
  run(wish: SignInWish = {}): Promise<Session> {
    const surroundings = {
      ui: vscode.env.uiKind === vscode.UIKind.Web ? 'web' : 'desktop',
      remoteName: vscode.env.remoteName,
    } as const;
    return this.#run(signInFlows(surroundings, this.#options.wantedFlow()), wish);
  }

  /** Signs in with a code; a sign-in that waits for the browser goes on with a code instead. */
  async runWithCode(): Promise<void> {
    if (this.#useCode === undefined) await this.#run(['deviceCode'], {});
    else this.#useCode();
  }

  #run(flows: readonly SignInFlow[], { seat, who, again }: SignInWish): Promise<Session> {
    this.#options.acted();
    return withCancellableProgress(vscode.l10n.t('Signing in to {0}', PRODUCT), (cancelled, say) =>
      this.#options.connection.signIn(
        (identityProvider) => this.#tryFlows(flows, { identityProvider, who, again, cancelled, say }),
        cancelled,
        seat,
      ),
    );
  }

  async #tryFlows(flows: readonly SignInFlow[], attempt: Attempt): Promise<Session> {
    const { cancelled } = attempt;
    const [flow, ...others] = flows;
    if (flow === undefined) throw new CancelledError();
    if (flow === 'deviceCode') return this.#withCode(attempt);
    const givenUp = new AbortController();
    this.#useCode = () => givenUp.abort();
    try {
      return await this.#withBrowser(flow, attempt, AbortSignal.any([cancelled, givenUp.signal]));
    } catch (error) {
      if (givenUp.signal.aborted && !cancelled.aborted) {
        return await this.#withCode(attempt);
      }
      if (others.length === 0 || !hasCode(error, 'loopback_unavailable')) throw error;
      this.#options.logger.info('The next way to sign in is taken', { error: String(error) });
      return await this.#tryFlows(others, attempt);
    } finally {
      this.#useCode = undefined;
    }
  }

  #withBrowser(
    flow: 'loopback' | 'uriHandler',
    { identityProvider, who, again, say }: Attempt,
    signal: AbortSignal,
  ): Promise<Session> {
    say(
      vscode.l10n.t(
        'go on in the browser, or [use a code]({0})',
        vscode.Uri.from({ scheme: 'command', path: commandId('signInWithCode') }).toString(),
      ),
    );
    // A session that is about to reach the company's limit is of little use.
    const hours = this.#options.connection.limits?.absoluteHours;
    const maxAgeSeconds = hours === undefined ? undefined : (hours * HOUR_MS) / 2 / SECOND_MS;
    return flow === 'loopback'
      ? signInWithLoopback(identityProvider, { openBrowser: openPage, who, again, maxAgeSeconds, signal })
      : signInWithAuthorizationCode(identityProvider, {
          openBrowser: openPage,
          who,
          again,
          maxAgeSeconds,
          signal,
          listen: (state) => this.#options.uriCallbacks.listen(state),
        });
  }

  #withCode({ identityProvider, cancelled, say }: Attempt): Promise<Session> {
    const dismissed = new AbortController();
    return signInWithDeviceCode(identityProvider, {
      onPrompt: (prompt) => {
        offerCode(prompt, say).then(
          (isAccepted) => {
            if (!isAccepted) dismissed.abort();
          },
          (error: unknown) => {
            this.#options.logger.warn('The code could not be shown', { error: String(error) });
            dismissed.abort();
          },
        );
      },
      signal: AbortSignal.any([cancelled, dismissed.signal]),
      clock: this.#options.clock,
    });
  }
}
