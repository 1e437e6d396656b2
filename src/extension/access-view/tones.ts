/**
 * What a line is at a glance. Each has a mark besides its colour, so that nobody needs the colour; the words of the line
 * say the same.
 */
export type Tone =
  /** A grant that works, that ends soon, that Databricks is being written to for, and one in trouble. */
  | 'active'
  | 'endsSoon'
  | 'moving'
  | 'trouble'
  /** A request that nobody has decided. */
  | 'waiting'
  /** What a request for a role would meet. */
  | 'atOnce'
  | 'needsApproval'
  | 'closed'
  /** Where a right on an asset comes from. */
  | 'forATime'
  | 'throughGroup'
  | 'own'
  | 'noRight'
  | 'notVisible';

/** How a tone is shown at the end of a line. */
export interface ToneMark {
  /** One or two characters. */
  readonly badge: string;
  /** The id of a colour of the theme. */
  readonly colour: string;
}

/** The marks. */
export const TONE_MARKS: Readonly<Record<Tone, ToneMark>> = {
  active: { badge: '●', colour: 'charts.green' },
  endsSoon: { badge: '!', colour: 'list.warningForeground' },
  moving: { badge: '…', colour: 'charts.blue' },
  trouble: { badge: '!!', colour: 'list.errorForeground' },
  // The yellow of charts is too pale to be read on white.
  waiting: { badge: '?', colour: 'list.warningForeground' },
  atOnce: { badge: '✓', colour: 'charts.green' },
  needsApproval: { badge: 'A', colour: 'charts.blue' },
  closed: { badge: '✕', colour: 'descriptionForeground' },
  forATime: { badge: 'T', colour: 'charts.green' },
  throughGroup: { badge: 'G', colour: 'foreground' },
  own: { badge: 'Y', colour: 'foreground' },
  noRight: { badge: '–', colour: 'descriptionForeground' },
  notVisible: { badge: '?', colour: 'descriptionForeground' },
};

/** True for the name of a tone. */
export function isTone(name: string): name is Tone {
  return name in TONE_MARKS;
}
