import type { ClaimPath } from '../authentication/claim-path.ts';

/** What is known beforehand of a kind of issuer. */
export interface WorkloadProfile {
  /** Where there is one issuer for everybody. */
  readonly issuer: string | undefined;
  /** Where its tokens are issued for nothing else. */
  readonly audience?: string;
  readonly claims: Readonly<Record<string, ClaimPath>>;
  /** The claims that together name one run; undefined where its workloads are no runs. */
  readonly run: readonly string[] | undefined;
}

function top(...names: string[]): Record<string, ClaimPath> {
  return Object.fromEntries(names.map((name) => [name, [name]]));
}

/** The namespace of AWS in the tokens of `sts:GetWebIdentityToken`. */
const AWS = 'https://sts.amazonaws.com/';

const KUBERNETES = 'kubernetes.io';

/**
 * The issuers that companies run their pipelines on, and what their tokens say (the issuers' own pages on OIDC claims).
 * A run can get a fresh token exactly while it lives.
 */
export const WORKLOAD_PROFILES = {
  'github-actions': {
    issuer: 'https://token.actions.githubusercontent.com',
    claims: top(
      ...['repository', 'repository_id', 'repository_owner', 'repository_visibility', 'ref', 'ref_type'],
      ...['ref_protected', 'environment', 'event_name', 'workflow_ref', 'job_workflow_ref', 'actor', 'sha'],
      ...['run_id', 'run_attempt', 'runner_environment'],
    ),
    run: ['repository_id', 'run_id', 'run_attempt'],
  },
  gitlab: {
    issuer: 'https://gitlab.com',
    claims: top(
      ...['project_path', 'project_id', 'namespace_path', 'ref', 'ref_type', 'ref_path', 'ref_protected'],
      ...[
        'environment',
        'environment_protected',
        'pipeline_source',
        'pipeline_id',
        'job_id',
        'user_login',
        'sha',
      ],
    ),
    run: ['project_id', 'job_id'],
  },
  'azure-devops': {
    issuer: undefined,
    audience: 'api://AzureADTokenExchange',
    claims: top('org_id', 'prj_id', 'def_id', 'run_id', 'rpo_id', 'rpo_uri', 'rpo_ver', 'rpo_ref'),
    run: ['org_id', 'run_id'],
  },
  'aws-iam': {
    issuer: undefined,
    claims: {
      role_arn: ['sub'],
      aws_account: [AWS, 'aws_account'],
      org_id: [AWS, 'org_id'],
      ou_path: [AWS, 'ou_path'],
      source_region: [AWS, 'source_region'],
      lambda_source_function_arn: [AWS, 'lambda_source_function_arn'],
      ec2_instance_source_vpc: [AWS, 'ec2_instance_source_vpc'],
    },
    run: undefined,
  },
  kubernetes: {
    issuer: undefined,
    claims: {
      namespace: [KUBERNETES, 'namespace'],
      service_account: [KUBERNETES, 'serviceaccount', 'name'],
      pod: [KUBERNETES, 'pod', 'name'],
      pod_uid: [KUBERNETES, 'pod', 'uid'],
    },
    run: ['pod_uid'],
  },
  oidc: { issuer: undefined, claims: {}, run: undefined },
} as const satisfies Record<string, WorkloadProfile>;

/** The name of a profile. */
export type WorkloadProfileName = keyof typeof WORKLOAD_PROFILES;
