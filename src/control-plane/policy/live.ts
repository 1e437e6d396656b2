import type { PolicyVersion } from './version.ts';

/** The policy that decides, while versions come and go. */
export interface LivePolicy {
  /** The version that decides now. It never changes; the next look may give another. */
  current(): PolicyVersion;
  /** True where what lies in the folder is not what decides, because it cannot be used. */
  isBehind(): boolean;
}

/** The side of {@link LivePolicy} that versions come in by. */
export interface PolicyIntake {
  /** From now on this version decides. */
  take(version: PolicyVersion): void;
  /** What lies in the folder cannot be used: the version before goes on to decide. */
  fallBehind(): void;
}

/** Begins with a version that was checked. */
export function createLivePolicy(first: PolicyVersion): LivePolicy & PolicyIntake {
  let state: { readonly version: PolicyVersion; readonly behind: boolean } = {
    version: first,
    behind: false,
  };
  return {
    current: () => state.version,
    isBehind: () => state.behind,
    take(version) {
      state = { version, behind: false };
    },
    fallBehind() {
      state = { ...state, behind: true };
    },
  };
}
