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
  Tuning,
} from './options.ts';
export { SEED } from './seed/identities.ts';
export { startSandboxDatabricks } from './start.ts';
