/**
 * Who and what is in the stand-in account, with ids that never change from one start to the next, so that a
 * catalogue can be written down. Only secrets differ by start.
 */

/** A principal or group by the id that SCIM uses. */
export interface SeededUser {
  readonly id: string;
  readonly userName: string;
}

/** See {@link SEED}. */
export interface SeededServicePrincipal {
  readonly id: string;
  readonly applicationId: string;
  readonly displayName: string;
}

/** See {@link SEED}. */
export interface SeededGroup {
  readonly id: string;
  readonly name: string;
}

/** The fixed part of the stand-in account. */
export const SEED = {
  accountId: '0d3c8a4e-51b7-4f2e-9c66-2f6f0a7be101',
  metastoreId: '5b1f6c9e-7d7a-4c35-8f0d-b0c6a1f0aa11',
  workspaces: {
    prod: { id: '4100000000000001', name: 'ml-prod' },
    dev: { id: '4100000000000002', name: 'ml-dev' },
  },
  users: {
    ana: { id: '7001', userName: 'ana.silva@example.com' },
    omar: { id: '7002', userName: 'omar.haddad@example.com' },
    aude: { id: '7003', userName: 'aude.laurent@example.com' },
    lena: { id: '7004', userName: 'lena.fischer@example.com' },
  },
  groups: {
    recsys: { id: '9001', name: 'ml-recsys' },
    recsysLeads: { id: '9002', name: 'ml-recsys-leads' },
    platform: { id: '9003', name: 'ml-platform' },
    audit: { id: '9004', name: 'audit' },
    fraud: { id: '9005', name: 'ml-fraud' },
    search: { id: '9006', name: 'ml-search' },
    forecasting: { id: '9007', name: 'ml-forecasting' },
    /** Everybody in machine learning; holds the other groups, not people. */
    everyone: { id: '9010', name: 'ml-everyone' },
  },
  /** Groups made for roles: they carry the rights and hold nobody until a grant lives. */
  jitGroups: {
    endpointQuery: { id: '9101', name: 'oam-jit-recsys-endpoint-query' },
    modelPromote: { id: '9102', name: 'oam-jit-recsys-model-promote' },
    deployer: { id: '9103', name: 'oam-jit-recsys-deployer' },
    clusterOperator: { id: '9104', name: 'oam-jit-platform-cluster-operator' },
  },
  servicePrincipals: {
    /** OAM's own: manager of the role groups, nothing wider. */
    core: {
      id: '8001',
      applicationId: '6a1b2c3d-0c0e-4a11-9b1e-0a0a0a0a8001',
      displayName: 'oam-core',
    },
    /** What the federated role acts as. */
    recsysDeployer: {
      id: '8002',
      applicationId: '6a1b2c3d-0c0e-4a11-9b1e-0a0a0a0a8002',
      displayName: 'recsys-deployer',
    },
    /** The account's and the workspaces' administrator, for set-up and for whatever happens behind OAM's back. */
    admin: {
      id: '8003',
      applicationId: '6a1b2c3d-0c0e-4a11-9b1e-0a0a0a0a8003',
      displayName: 'platform-admin',
    },
    /** OAM's own for personal access tokens: an administrator of the workspaces, not of the account. */
    tokens: {
      id: '8005',
      applicationId: '6a1b2c3d-0c0e-4a11-9b1e-0a0a0a0a8005',
      displayName: 'oam-tokens',
    },
    /** OAM's own for reading what leads look at: Databricks shows the tokens of others to administrators alone. */
    reader: {
      id: '8006',
      applicationId: '6a1b2c3d-0c0e-4a11-9b1e-0a0a0a0a8006',
      displayName: 'oam-reader',
    },
    ci: {
      id: '8004',
      applicationId: '6a1b2c3d-0c0e-4a11-9b1e-0a0a0a0a8004',
      displayName: 'recsys-ci',
    },
  },
  /** The endpoint, model and cluster that the demo's roles are about. */
  assets: {
    endpoint: { name: 'recsys-ranker-prod' },
    model: { fullName: 'prod.recsys.ranker' },
    cluster: { id: '1123-081500-mlgpu01', name: 'ml-gpu-shared' },
  },
  /** The value of `oam_role` that the deployer's federation policy wants. */
  deployerRole: 'recsys-deployer',
} as const satisfies {
  readonly users: Readonly<Record<string, SeededUser>>;
  readonly groups: Readonly<Record<string, SeededGroup>>;
  readonly jitGroups: Readonly<Record<string, SeededGroup>>;
  readonly servicePrincipals: Readonly<Record<string, SeededServicePrincipal>>;
  readonly [other: string]: unknown;
};
