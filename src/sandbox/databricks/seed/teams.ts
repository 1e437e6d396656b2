import { SEED, type SeededGroup } from './identities.ts';

/** A team of the seed with its models by their Unity Catalog names. */
export interface SeededTeam {
  readonly name: string;
  readonly group: SeededGroup;
  readonly models: readonly string[];
  /** Endpoints of production, by what they serve. */
  readonly serves: Readonly<Record<string, string>>;
  readonly studies: readonly string[];
  readonly pipelines: readonly string[];
}

/** The four teams of the stand-in company. */
export const TEAMS: readonly SeededTeam[] = [
  {
    name: 'recsys',
    group: SEED.groups.recsys,
    models: [
      'ranker',
      'candidate_generator',
      'two_tower',
      'session_embeddings',
      'cold_start',
      'diversity_reranker',
      'ctr_calibrator',
      'homepage_mixer',
      'email_digest_ranker',
      'push_ranker',
      'similar_items',
      'basket_completer',
    ],
    serves: {
      'recsys-ranker-prod': 'ranker',
      'recsys-candidates-prod': 'candidate_generator',
      'recsys-similar-items-prod': 'similar_items',
      'recsys-homepage-prod': 'homepage_mixer',
      'recsys-push-prod': 'push_ranker',
      'recsys-email-digest-prod': 'email_digest_ranker',
    },
    studies: [
      'ranker-loss-functions',
      'ranker-feature-ablation',
      'two-tower-negatives',
      'session-length',
      'cold-start-priors',
      'diversity-vs-revenue',
      'ctr-calibration',
      'push-fatigue',
      'basket-horizon',
    ],
    pipelines: [
      'ranker-train-nightly',
      'ranker-offline-eval',
      'candidates-train-weekly',
      'embeddings-refresh',
      'feature-backfill',
      'drift-report',
      'push-send-times',
    ],
  },
  {
    name: 'fraud',
    group: SEED.groups.fraud,
    models: [
      'chargeback_score',
      'account_takeover',
      'merchant_risk',
      'velocity_features',
      'device_graph',
      'card_testing',
      'refund_abuse',
      'kyc_match',
    ],
    serves: {
      'fraud-chargeback-prod': 'chargeback_score',
      'fraud-takeover-prod': 'account_takeover',
      'fraud-merchant-risk-prod': 'merchant_risk',
      'fraud-card-testing-prod': 'card_testing',
      'fraud-kyc-prod': 'kyc_match',
    },
    studies: [
      'chargeback-thresholds',
      'takeover-sequence-models',
      'device-graph-depth',
      'card-testing-bursts',
      'refund-abuse-labels',
      'kyc-name-matching',
      'merchant-cold-start',
    ],
    pipelines: [
      'chargeback-train-weekly',
      'label-maturity',
      'device-graph-build',
      'rules-vs-model',
      'kyc-eval',
      'score-backfill',
    ],
  },
  {
    name: 'search',
    group: SEED.groups.search,
    models: [
      'query_rewriter',
      'bm25_hybrid',
      'semantic_encoder',
      'spell_corrector',
      'autocomplete',
      'query_intent',
      'image_search',
    ],
    serves: {
      'search-encoder-prod': 'semantic_encoder',
      'search-autocomplete-prod': 'autocomplete',
      'search-intent-prod': 'query_intent',
      'search-spelling-prod': 'spell_corrector',
    },
    studies: [
      'hybrid-weights',
      'encoder-distillation',
      'spelling-languages',
      'autocomplete-latency',
      'intent-taxonomy',
      'image-embeddings',
    ],
    pipelines: ['encoder-train', 'index-rebuild', 'query-log-sampling', 'judgement-export', 'spelling-train'],
  },
  {
    name: 'forecasting',
    group: SEED.groups.forecasting,
    models: [
      'demand_weekly',
      'demand_daily',
      'returns_rate',
      'price_elasticity',
      'stockout_risk',
      'lead_time',
    ],
    serves: {
      'forecasting-demand-prod': 'demand_daily',
      'forecasting-stockout-prod': 'stockout_risk',
      'forecasting-elasticity-prod': 'price_elasticity',
    },
    studies: [
      'weekly-hierarchies',
      'promotion-lift',
      'returns-by-category',
      'elasticity-priors',
      'stockout-censoring',
    ],
    pipelines: [
      'demand-train-weekly',
      'demand-score-daily',
      'elasticity-fit',
      'stockout-alerts',
      'actuals-import',
    ],
  },
];
