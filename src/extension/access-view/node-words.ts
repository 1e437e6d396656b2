import { type EpochMs, MINUTE_MS } from '../../domain/time.ts';
import { awaitedStage } from '../../protocol/approvers.ts';
import type { GrantView, RequestView, RoleView } from '../../protocol/schemas.ts';
import type { Localise } from '../localise.ts';
import type { Reader } from '../reader.ts';
import { remedyWords } from '../commands/error-words.ts';
import { evidenceWords } from '../requests/evidence-words.ts';
import { likelyOutlook, outlookSentence } from '../requests/request-draft.ts';
import { durationWords, momentWords, timeLeftWords } from '../time-words.ts';
import type { AccessNode, Section } from './access-nodes.ts';
import { approverWords } from './approver-words.ts';
import { takesRequest } from './node-capabilities.ts';
import type { AssetKind } from './entitlements.ts';
import type { Tone } from './tones.ts';

/** How a line of the tree reads. The tooltip is plain lines; a screen reader hears `spoken`. */
export interface NodeWords {
  readonly label: string;
  readonly description: string | undefined;
  readonly tooltip: readonly string[];
  readonly spoken: string;
  /** A codicon. */
  readonly icon: string | undefined;
  /** The line at a glance. */
  readonly tone?: Tone | undefined;
}

/** The words for a line. */
export function nodeWords(reader: Reader, node: AccessNode): NodeWords {
  const { l10n } = reader;
  switch (node.kind) {
    case 'workspace':
      return words(node.workspace.name, new URL(node.workspace.host).host, 'server-environment', [
        l10n.t('Databricks workspace {0}', node.workspace.host),
      ]);
    case 'section':
      return words(sectionTitle(l10n, node.section), node.count?.toString(), undefined, [
        sectionMeaning(l10n, node.section),
      ]);
    case 'role':
      return roleWords(reader, node.role, node.taken);
    case 'request':
      return requestWords(reader, node.request);
    case 'grant':
      return grantWords(reader, node.grant);
    case 'assets':
      return words(
        assetKindTitle(l10n, node.assetKind),
        node.count?.toString(),
        ASSET_ICONS[node.assetKind],
        [l10n.t('Read from {0} with your own sign-in: what you can see there', node.workspace.name)],
      );
    case 'asset':
      return words(node.asset.name, node.asset.level ?? node.asset.note, ASSET_ICONS[node.asset.kind], [
        node.asset.name,
        ...(node.asset.note === undefined ? [] : [node.asset.note]),
      ]);
    case 'more':
      return words(
        node.rest.isWhole ? l10n.t('{0} more lines', node.rest.count) : l10n.t('More are being read…'),
        undefined,
        'ellipsis',
        [l10n.t('They come as soon as you look here. Search to find one among all of them.')],
      );
    case 'words':
      switch (node.words.kind) {
        case 'noMatch':
          return words(l10n.t('Nothing matches'), undefined, undefined, [
            l10n.t('No name here holds “{0}”.', node.words.filter),
          ]);
        case 'none':
          return words(l10n.t('Nothing here'), undefined, undefined, [
            l10n.t('Databricks lists nothing here.'),
          ]);
        case 'notVisible':
          return words(l10n.t('Not visible to you'), undefined, 'eye-closed', [
            l10n.t('Databricks does not let you list this. You may still have access.'),
          ]);
        case 'failed':
          return words(l10n.t('Could not be read'), node.words.message, 'warning', [
            node.words.message,
            l10n.t('Click, or press Enter: {0}', remedyWords(l10n, node.words.remedy)),
          ]);
      }
  }
}

function words(
  label: string,
  description: string | undefined,
  icon: string | undefined,
  tooltip: readonly string[],
  tone?: Tone,
): NodeWords {
  const spoken = [label, ...(description === undefined ? [] : [description]), ...tooltip];
  return { label, description, icon, tooltip, spoken: [...new Set(spoken)].join(', '), tone };
}

function sectionTitle(l10n: Localise, section: Section): string {
  switch (section) {
    case 'grants':
      return l10n.t('Granted for a time');
    case 'requests':
      return l10n.t('Waiting for approval');
    case 'roles':
      return l10n.t('Roles you can ask for');
    case 'entitlements':
      return l10n.t('What you can see now');
    case 'closedRoles':
      return l10n.t('Roles that are not open to you');
  }
}

function sectionMeaning(l10n: Localise, section: Section): string {
  switch (section) {
    case 'grants':
      return l10n.t('Access that ends by itself');
    case 'requests':
      return l10n.t('Your requests that nobody has decided yet');
    case 'roles':
      return l10n.t('What policy says to a request of yours, role by role');
    case 'closedRoles':
      return l10n.t('Point at a role to read why');
    case 'entitlements':
      return l10n.t('Your rights on Databricks, standing and granted, read with your own sign-in');
  }
}

/** The name of a kind of asset. */
export function assetKindTitle(l10n: Localise, kind: AssetKind): string {
  switch (kind) {
    case 'models':
      return l10n.t('Models');
    case 'endpoints':
      return l10n.t('Serving endpoints');
    case 'experiments':
      return l10n.t('Experiments');
    case 'features':
      return l10n.t('Features');
    case 'clusters':
      return l10n.t('Compute');
    case 'jobs':
      return l10n.t('Jobs');
    case 'groups':
      return l10n.t('Groups');
  }
}

const ASSET_ICONS: Readonly<Record<AssetKind, string>> = {
  models: 'package',
  endpoints: 'broadcast',
  experiments: 'beaker',
  features: 'table',
  clusters: 'server',
  jobs: 'gear',
  groups: 'organization',
};

/** How sensitive a role is. */
export function sensitivityWords(l10n: Localise, sensitivity: RoleView['sensitivity']): string {
  switch (sensitivity) {
    case 'low':
      return l10n.t('Sensitivity: low');
    case 'medium':
      return l10n.t('Sensitivity: medium');
    case 'high':
      return l10n.t('Sensitivity: high');
  }
}

/** Where a credential of this kind works, in a sentence. */
export function credentialWords(l10n: Localise, credential: RoleView['credential']): string {
  switch (credential) {
    case 'member':
      return l10n.t('While it lasts, your own sign-in carries it everywhere you work.');
    case 'federated':
      return l10n.t('It acts as a service of its own, only in terminals that you open as this role.');
    case 'pat':
      return l10n.t(
        'It acts as a service of its own, by a token that works wherever it is taken to, until it ends.',
      );
    case 'assume':
      return l10n.t(
        'In terminals that you open as this role you have its rights in place of yours. While it lasts, your own sign-in carries them too.',
      );
  }
}

/** What is left of the tokens of an access that ended. */
export function outlivingWords(
  l10n: Localise,
  outlives: NonNullable<GrantView['outlives']>,
  at: (timestamp: string) => string,
): string {
  const until = at(outlives.until);
  switch (outlives.what) {
    case 'tokenOnly':
      return l10n.t('A token that was issued lasts until {0}, but carries this right no more.', until);
    case 'right':
      return l10n.t('A token that was issued still carries this right, until {0} at the latest.', until);
  }
}

function roleWords({ l10n }: Reader, role: RoleView, taken: 'asked' | 'held' | undefined): NodeWords {
  const outlook = likelyOutlook(role);
  const why = outlook.because[0];
  const [description, tone] = ((): readonly [string, Tone | undefined] => {
    if (taken === 'held') return [l10n.t('you hold it'), 'active'];
    if (taken === 'asked') return [l10n.t('asked for'), 'waiting'];
    switch (outlook.kind) {
      case 'granted_at_once':
        return [l10n.t('granted at once'), 'atOnce'];
      case 'needs_approval': {
        const by = outlook.stages.map((stage) => approverWords(l10n, stage)).join(l10n.t(', then '));
        return [l10n.t('needs approval from {0}', by), 'needsApproval'];
      }
      case 'refused':
        return [why === undefined ? l10n.t('not for you') : l10n.t('not for you: {0}', why), 'closed'];
      case 'unavailable':
        return [why === undefined ? l10n.t('not available') : l10n.t('not available: {0}', why), 'closed'];
    }
  })();
  return words(
    role.title,
    description,
    roleIcon(role, taken),
    [
      role.gives,
      outlookSentence(l10n, role),
      l10n.t('For up to {0} at a time', durationWords(l10n, role.maxMinutes)),
      credentialWords(l10n, role.credential),
      sensitivityWords(l10n, role.sensitivity),
      l10n.t('Team: {0}', role.team),
    ],
    tone,
  );
}

function roleIcon(role: RoleView, taken: 'asked' | 'held' | undefined): string {
  if (taken === 'held') return 'pass';
  if (taken === 'asked') return 'clock';
  return takesRequest(role, taken) ? 'key' : 'lock';
}

function requestWords({ l10n, locale, nowMs }: Reader, request: RequestView): NodeWords {
  const description =
    request.state === 'awaiting_requester'
      ? l10n.t('confirming that you are still in the team')
      : l10n.t('waits for {0}', waitsFor(l10n, request));
  return words(
    request.role.title,
    description,
    'clock',
    [
      l10n.t('Purpose: {0}', request.purpose),
      request.extends === null
        ? l10n.t('For {0}', durationWords(l10n, request.minutes))
        : l10n.t('For {0} more than you hold now, without a gap', durationWords(l10n, request.minutes)),
      ...(request.startsAt === null
        ? []
        : [l10n.t('From {0} on', momentWords(locale, Date.parse(request.startsAt), nowMs))]),
      l10n.t('Asked {0}', momentWords(locale, Date.parse(request.createdAt), nowMs)),
      ...request.evidence.map((word) => evidenceWords({ l10n, locale, nowMs }, request, word)),
      l10n.t('Lapses unanswered {0}', momentWords(locale, Date.parse(request.lapsesAt), nowMs)),
      ...request.because,
    ],
    'waiting',
  );
}

/** Those whose word a request waits for now. */
export function waitsFor(l10n: Localise, request: Pick<RequestView, 'stages' | 'approvals'>): string {
  const open = awaitedStage(request);
  return open === undefined ? l10n.t('approval') : approverWords(l10n, open);
}

/** A grant's state in a few words. */
export function grantStateWords({ l10n, locale, nowMs }: Reader, grant: GrantView): string {
  switch (grant.state) {
    case 'scheduled':
      if (grant.startsAt === null) return l10n.t('being set up…');
      return l10n.t('starts {0}', momentWords(locale, Date.parse(grant.startsAt), nowMs));
    case 'provisioning':
      return l10n.t('being set up…');
    case 'active':
      if (grant.endsAt === null) return l10n.t('active');
      return l10n.t(
        grant.role.credential === 'member' ? '{0}, everywhere until {1}' : '{0}, until {1}',
        timeLeftWords(l10n, Date.parse(grant.endsAt), nowMs),
        momentWords(locale, Date.parse(grant.endsAt), nowMs),
      );
    case 'revoking':
      return l10n.t('being removed…');
    case 'revoke_stuck':
      return l10n.t('removal does not work yet, OAM tries again');
    case 'failed':
      return l10n.t('failed');
    case 'ended':
      return l10n.t('ended');
  }
}

const GRANT_ICONS: Readonly<Record<GrantView['state'], string>> = {
  scheduled: 'loading~spin',
  provisioning: 'loading~spin',
  active: 'pass',
  revoking: 'loading~spin',
  revoke_stuck: 'warning',
  failed: 'error',
  ended: 'circle-slash',
};

/** What there is to say of a grant that was taken in an emergency. */
export function reviewWords(l10n: Localise, { review }: Pick<GrantView, 'review'>): string[] {
  switch (review?.state) {
    case undefined:
      return [];
    case 'pending':
      return [l10n.t('Taken in an emergency; somebody else has to review it')];
    case 'ok':
      return [l10n.t('Taken in an emergency, and found right: {0}', review?.comment ?? '')];
    case 'misuse':
      return [l10n.t('Taken in an emergency, and found misused: {0}', review?.comment ?? '')];
  }
}

function grantIcon({ state, startsAt }: GrantView): string {
  return state === 'scheduled' && startsAt !== null ? 'calendar' : GRANT_ICONS[state];
}

function grantWords(reader: Reader, grant: GrantView): NodeWords {
  const { l10n, locale, nowMs } = reader;
  const at = (timestamp: string): string => momentWords(locale, Date.parse(timestamp), nowMs);
  return words(
    grant.role.title,
    grantStateWords(reader, grant),
    grantIcon(grant),
    [
      ...(grant.state === 'active' && grant.endsAt !== null && grant.role.credential === 'member'
        ? [l10n.t('Active for you everywhere until {0}', at(grant.endsAt))]
        : []),
      l10n.t('Purpose: {0}', grant.purpose),
      ...reviewWords(l10n, grant),
      credentialWords(l10n, grant.role.credential),
      ...(grant.membershipPresentAt === null
        ? []
        : [l10n.t('Seen in place on Databricks {0}', at(grant.membershipPresentAt))]),
      ...(grant.membershipAbsentAt === null
        ? []
        : [l10n.t('Seen removed on Databricks {0}', at(grant.membershipAbsentAt))]),
      ...(grant.outlives === null ? [] : [outlivingWords(l10n, grant.outlives, at)]),
      ...(grant.trouble === null ? [] : [grant.trouble]),
    ],
    grantTone(grant, nowMs),
  );
}

/** A grant that ends within this time is marked, in milliseconds. */
const ENDS_SOON_MS = 15 * MINUTE_MS;

/** A grant at a glance. */
export function grantTone({ state, startsAt, endsAt }: GrantView, nowMs: EpochMs): Tone | undefined {
  switch (state) {
    case 'scheduled':
      return startsAt === null ? 'moving' : 'waiting';
    case 'provisioning':
    case 'revoking':
      return 'moving';
    case 'active':
      return endsAt !== null && Date.parse(endsAt) - nowMs <= ENDS_SOON_MS ? 'endsSoon' : 'active';
    case 'revoke_stuck':
    case 'failed':
      return 'trouble';
    case 'ended':
      return undefined;
  }
}
