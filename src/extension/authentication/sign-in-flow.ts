import * as z from 'zod/mini';

/** Where VS Code runs, as far as signing in depends on it. */
export interface Surroundings {
  /** `desktop` or `web`. */
  readonly ui: 'desktop' | 'web';
  /** The kind of remote that the extension runs on; undefined where it runs beside the person's browser. */
  readonly remoteName: string | undefined;
}

/** How the identity provider's answer comes back: to this machine, to an address of the editor, or by a code. */
export const SIGN_IN_FLOWS = ['loopback', 'uriHandler', 'deviceCode'] as const;

/** One of {@link SIGN_IN_FLOWS}. */
export type SignInFlow = (typeof SIGN_IN_FLOWS)[number];

/** The values of the setting. */
export const WANTED_FLOWS = ['auto', ...SIGN_IN_FLOWS] as const;

const WantedFlow = z.catch(z.enum(WANTED_FLOWS), 'auto');
/** See {@link WANTED_FLOWS}. */
export type WantedFlow = z.infer<typeof WantedFlow>;

/** Reads the setting; what is none of its values is `auto`. */
export function readWantedFlow(setting: unknown): WantedFlow {
  return WantedFlow.parse(setting);
}

/**
 * The ways to sign in, the first one first: the next one is taken where a way cannot be gone at all.
 *
 * The browser reaches a listener on the loopback interface only where editor and browser share the machine. An address
 * of the editor comes back to a desktop window, wherever its extensions run; a browser has none that an identity
 * provider could know beforehand. A code can be confirmed anywhere, but some companies do not allow it.
 */
export function signInFlows({ ui, remoteName }: Surroundings, wanted: WantedFlow): readonly SignInFlow[] {
  const usual: readonly SignInFlow[] =
    ui === 'web'
      ? ['deviceCode']
      : remoteName === undefined
        ? ['loopback', 'uriHandler', 'deviceCode']
        : ['uriHandler', 'deviceCode'];
  if (wanted === 'auto') return usual;
  return [wanted, ...usual.filter((flow) => SIGN_IN_FLOWS.indexOf(flow) > SIGN_IN_FLOWS.indexOf(wanted))];
}
