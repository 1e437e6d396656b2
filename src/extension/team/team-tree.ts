import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import type { TeamMemberView, UnreadReason } from '../../protocol/team.ts';
import { canBeExtended, canBeReturned } from '../access-view/node-capabilities.ts';
import type { NodeWords } from '../access-view/node-words.ts';
import type { Reader } from '../reader.ts';
import { treeItem } from '../access-view/tree-item.ts';
import { DrawnLines } from '../drawn-lines.ts';
import {
  byPerson,
  endingFacts,
  factId,
  isStuck,
  outlives,
  overlooked,
  type PersonFacts,
  type TeamFact,
} from './team-data.ts';
import type { TeamModel } from './team-model.ts';
import {
  factWords,
  memberWords,
  personWords,
  TEAM_SECTIONS,
  type TeamSection,
  teamSectionWords,
  unreadWords,
} from './team-words.ts';

/** A line of the view "Team". `grant` is what commands on the line act on. */
export type TeamNode =
  | { readonly kind: 'section'; readonly section: TeamSection; readonly count: number }
  | { readonly kind: 'person'; readonly of: PersonFacts }
  | {
      readonly kind: 'fact';
      readonly section: TeamSection;
      readonly fact: TeamFact;
      readonly grant: GrantView | undefined;
    }
  | { readonly kind: 'member'; readonly member: TeamMemberView }
  | { readonly kind: 'unread'; readonly workspace: string; readonly because: UnreadReason };

/** The view "Team": what the people of the teams that somebody leads hold, and until when. */
export class TeamTree implements vscode.TreeDataProvider<TeamNode>, vscode.Disposable {
  readonly #model: TeamModel;
  readonly #clock: Clock;
  readonly #lines = new DrawnLines<TeamNode>(nodeId);

  readonly onDidChangeTreeData = this.#lines.onDidChange;

  constructor(model: TeamModel, clock: Clock) {
    this.#model = model;
    this.#clock = clock;
  }

  /** Draws everything again, where there is something else to draw; what is open and selected stays. */
  redraw(): void {
    const { data } = this.#model;
    // Who has had nothing for days changes with the time alone.
    const idle = data === undefined ? 0 : overlooked(data.members, this.#clock.nowMs()).length;
    this.#lines.redraw([data, idle]);
  }

  /** Draws again what says how much time is left. */
  redrawTimes(): void {
    this.redraw();
    // With a person all that is below them.
    const timed = (node: TeamNode): boolean =>
      node.kind === 'person' || (node.kind === 'fact' && node.section !== 'ends');
    this.#lines.redrawLines(this.#lines.all.filter(timed));
  }

  getChildren(node?: TeamNode): TeamNode[] {
    switch (node?.kind) {
      case undefined:
        return TEAM_SECTIONS.flatMap((section): TeamNode[] => {
          const count = this.#rows(section).length;
          return count === 0 ? [] : [{ kind: 'section', section, count }];
        });
      case 'section':
        return this.#rows(node.section);
      case 'person':
        return node.of.facts.map((fact) => factNode('ends', fact));
      case 'fact':
      case 'member':
      case 'unread':
        return [];
    }
  }

  getTreeItem(node: TeamNode): vscode.TreeItem {
    return treeItem({
      id: this.#lines.draw(node),
      words: this.#words(node),
      contextValue: contextValue(node),
      children: node.kind === 'section' ? 'open' : node.kind === 'person' ? 'closed' : 'none',
    });
  }

  dispose(): void {
    this.#lines.dispose();
  }

  #rows(section: TeamSection): TeamNode[] {
    const { data } = this.#model;
    if (data === undefined) return [];
    switch (section) {
      case 'stuck':
        return endingFacts(data)
          .filter(isStuck)
          .map((fact) => factNode(section, fact));
      case 'outlives':
        return endingFacts(data)
          .filter(outlives)
          .map((fact) => factNode(section, fact));
      case 'ends':
        return byPerson(endingFacts(data)).map((of) => ({ kind: 'person', of }));
      case 'overlooked':
        return overlooked(data.members, this.#clock.nowMs()).map((member) => ({ kind: 'member', member }));
      case 'tokens':
        return [
          ...data.tokens.map((token) => factNode(section, { kind: 'token', token })),
          ...data.unread.map((each) => ({ kind: 'unread', ...each }) as const),
        ];
    }
  }

  #words(node: TeamNode): NodeWords {
    const reader: Reader = { l10n: vscode.l10n, locale: vscode.env.language, nowMs: this.#clock.nowMs() };
    switch (node.kind) {
      case 'section': {
        const [label, meaning] = teamSectionWords(vscode.l10n, node.section);
        const description = String(node.count);
        return {
          ...{ label, description, tooltip: [meaning], icon: undefined },
          spoken: `${label}, ${description}, ${meaning}`,
        };
      }
      case 'person':
        return personWords(reader, node.of);
      case 'fact':
        return factWords(reader, node.fact, node.section === 'ends');
      case 'member':
        return memberWords(reader, node.member);
      case 'unread':
        return unreadWords(vscode.l10n, node.workspace, node.because);
    }
  }
}

function factNode(section: TeamSection, fact: TeamFact): TeamNode {
  return { kind: 'fact', section, fact, grant: fact.kind === 'token' ? undefined : fact.grant };
}

function nodeId(node: TeamNode): string {
  switch (node.kind) {
    case 'section':
      return node.section;
    case 'person':
      return `person/${node.of.person.iss} ${node.of.person.sub}`;
    case 'fact':
      return `${node.section}/${factId(node.fact)}`;
    case 'member':
      return `member/${node.member.person.iss} ${node.member.person.sub}`;
    case 'unread':
      return `unread/${node.workspace}`;
  }
}

/** What can be done with a line, as flags for the manifest's menus. */
function contextValue(node: TeamNode): string {
  if (node.kind !== 'fact') return node.kind;
  const { grant } = node;
  return [
    node.fact.kind,
    ...(grant !== undefined && canBeExtended(grant) ? ['extend'] : []),
    ...(grant !== undefined && canBeReturned(grant) ? ['revoke'] : []),
  ].join('.');
}
