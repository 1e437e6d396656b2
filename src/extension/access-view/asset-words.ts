import { levelsOf } from '../../domain/asset-right.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import { momentWords } from '../time-words.ts';
import type { AccessData } from './access-data.ts';
import type { Asset, Right, Rights, Through } from './entitlements.ts';
import type { Reader } from '../reader.ts';
import type { Tone } from './tones.ts';

/** The grants that work now, by the Databricks group that each puts its holder into. */
export type GrantsByGroup = ReadonlyMap<string, GrantView>;

/** See {@link GrantsByGroup}. */
export function grantsByGroup(data: Pick<AccessData, 'roles' | 'grants'>): GrantsByGroup {
  const groups = new Map(data.roles.map(({ id, group }) => [id, group]));
  return new Map(
    data.grants.flatMap((grant) => {
      const group = grant.state === 'active' ? groups.get(grant.role.id) : undefined;
      return group === undefined || group === null ? [] : [[group, grant] as const];
    }),
  );
}

/** What is said of somebody's rights on an asset. */
export interface RightsWords {
  /** For the end of the line. */
  readonly description: string;
  /** One for each source. */
  readonly lines: readonly string[];
  readonly tone: Tone | undefined;
}

/** The words for somebody's rights on an asset: which, and where each comes from. */
export function rightsWords(
  reader: Reader,
  asset: Pick<Asset, 'kind'>,
  rights: Rights,
  grants: GrantsByGroup,
): RightsWords {
  const { l10n } = reader;
  if (rights.kind === 'notVisible') {
    return {
      description: l10n.t('not visible to you'),
      lines: [l10n.t('Databricks does not show you the rights on it. You may still have some.')],
      tone: 'notVisible',
    };
  }
  if (rights.levels.length === 0) {
    return {
      description: l10n.t('no right'),
      lines: [l10n.t('Databricks names no right of yours on it.')],
      tone: 'noRight',
    };
  }
  const pieces = [...Map.groupBy(rights.levels, ({ through }) => keyOf(through)).values()]
    .map((held) => pieceOf(reader, asset, held, grants))
    .sort((a, b) => ORDER.indexOf(a.tone) - ORDER.indexOf(b.tone));
  const lines = pieces.map(({ text }) => text);
  return { description: lines.join('; '), lines, tone: pieces[0]?.tone };
}

/** What comes of one source. */
interface Piece {
  readonly text: string;
  readonly tone: Tone | undefined;
}

/** What ends by itself comes first: it is why somebody looks. */
const ORDER: readonly (Tone | undefined)[] = ['forATime', 'own', 'throughGroup', undefined];

function keyOf(through: Through): string {
  return through.kind === 'group' ? `group ${through.name}` : through.kind;
}

function pieceOf(
  { l10n, locale, nowMs }: Reader,
  asset: Pick<Asset, 'kind'>,
  held: readonly Right[],
  grants: GrantsByGroup,
): Piece {
  const levels = levelsIn(asset, held);
  const through = held[0]?.through ?? { kind: 'unsaid' };
  switch (through.kind) {
    case 'self':
      return { text: l10n.t('{0}, your own', levels), tone: 'own' };
    case 'unsaid':
      return { text: levels, tone: undefined };
    case 'group': {
      const grant = grants.get(through.name);
      if (grant === undefined) {
        return { text: l10n.t('{0} through {1}', levels, through.name), tone: 'throughGroup' };
      }
      const { title } = grant.role;
      const text =
        grant.endsAt === null
          ? l10n.t('{0} for a time: {1}', levels, title)
          : l10n.t('{0} until {1}: {2}', levels, momentWords(locale, Date.parse(grant.endsAt), nowMs), title);
      return { text, tone: 'forATime' };
    }
  }
}

/** The strongest first: the end of a line is cut in a narrow side bar. */
function levelsIn({ kind }: Pick<Asset, 'kind'>, held: readonly Right[]): string {
  const order = kind === 'groups' ? [] : levelsOf(kind);
  const levels = [...new Set(held.map(({ level }) => level))];
  return levels.sort((a, b) => order.indexOf(b) - order.indexOf(a)).join(', ');
}
