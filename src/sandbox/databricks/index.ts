export type {
  InjectedFailure,
  RecordedRequest,
  RunningSandboxDatabricks,
  SandboxCredentials,
  SandboxDatabricksOptions,
  SandboxPerson,
  Tuning,
} from './options.ts';
export { SEED } from './seed/identities.ts';
export { startSandboxDatabricks } from './start.ts';
