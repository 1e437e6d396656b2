export type {
  InjectedFailure,
  RateClass,
  RateLimit,
  RecordedRequest,
  RunningSandboxDatabricks,
  SandboxCredentials,
  SandboxDatabricksOptions,
  SandboxJitGroup,
  SandboxPerson,
  SandboxPersonalToken,
  SandboxSignInClient,
  Tuning,
} from './options.ts';
export { signInAtDatabricks } from './headless-sign-in.ts';
export { SEED } from './seed/identities.ts';
export { startSandboxDatabricks } from './start.ts';
