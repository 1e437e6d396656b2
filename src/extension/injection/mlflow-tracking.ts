import { findAlreadySet, type AlreadySet, type PlacesToLook } from './already-set.ts';

/** What the person wants of MLflow in the folders that work with OAM. */
export const MLFLOW_CHOICES = ['off', 'on', 'onForOldMlflow'] as const;

/** One of {@link MLFLOW_CHOICES}. */
export type MlflowChoice = (typeof MLFLOW_CHOICES)[number];

/** The variable that says where MLflow works. */
export const MLFLOW_VARIABLE = 'MLFLOW_TRACKING_URI';

/**
 * Not a token, and says so: MLflow before 3.13 refuses a pointer unless some token stands beside it, and then uses the
 * pointer. A program that reads `DATABRICKS_TOKEN` by itself would send it, and be refused.
 */
export const NO_TOKEN = 'no-token-oam-uses-the-pointer';

/** What is read from settings, which anybody may have written. */
export function readMlflowChoice(setting: unknown): MlflowChoice {
  return MLFLOW_CHOICES.find((choice) => choice === setting) ?? 'off';
}

/** What MLflow needs beside a pointer, and what the person has set of it, which wins. */
export interface MlflowTracking {
  readonly environment: Readonly<Record<string, string>>;
  readonly own: AlreadySet | undefined;
}

/** Points MLflow to the workspace of a folder's pointer, where that is wanted and the person has not said another place. */
export function mlflowTracking(choice: MlflowChoice, places: PlacesToLook): MlflowTracking {
  if (choice === 'off') return { environment: {}, own: undefined };
  const [own] = findAlreadySet(places, (name) => name === MLFLOW_VARIABLE);
  if (own !== undefined) return { environment: {}, own };
  return {
    environment: {
      [MLFLOW_VARIABLE]: 'databricks',
      ...(choice === 'onForOldMlflow' && { DATABRICKS_TOKEN: NO_TOKEN }),
    },
    own: undefined,
  };
}
