export { MAX_ANSWERED_LIFE_MS } from './answer.ts';
export { type Broker, type BrokerOptions, type BrokerPath, type OpenPath, startBroker } from './broker.ts';
export type { UidOf } from './peer.ts';
export { pointerEnvironment, type PointerEnvironment } from './pointer.ts';
export { type RoleTokenOptions, roleTokenSource } from './role-tokens.ts';
export {
  BROKER_CODES,
  type BrokerCode,
  isPassing,
  PATH_ENDS,
  type PathEnd,
  type Refusal,
} from './refusal.ts';
export {
  type OwnSignIn,
  type PersonTokenOptions,
  personTokenSource,
  type TokenSource,
} from './token-source.ts';
