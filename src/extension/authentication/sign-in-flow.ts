/** Where VS Code runs, as far as signing in depends on it. */
export interface Surroundings {
  /** `desktop` or `web`. */
  readonly ui: 'desktop' | 'web';
  /** The kind of remote that the extension runs on; undefined where it runs beside the person's browser. */
  readonly remoteName: string | undefined;
}

/** How the identity provider's answer comes back. */
export type SignInFlow = 'loopback' | 'deviceCode';

/**
 * The browser reaches a listener on this machine's loopback only where editor and browser share the machine;
 * everywhere else a code that is confirmed in any browser is the way.
 */
export function chooseFlow(surroundings: Surroundings): SignInFlow {
  return surroundings.ui === 'desktop' && surroundings.remoteName === undefined ? 'loopback' : 'deviceCode';
}
