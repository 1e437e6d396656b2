import { forMarkdown } from '../plain-text.ts';
import type { NodeWords } from './node-words.ts';

/** What a tooltip is made of. */
export type TooltipWords = Pick<NodeWords, 'label' | 'description' | 'tooltip'>;

/**
 * A tooltip as Markdown: the line of the tree in full, which a narrow side bar cuts, and what else there is to know.
 * Nothing that comes from elsewhere is taken for markup.
 */
export function tooltipMarkdown({ label, description, tooltip }: TooltipWords): string {
  const lines = tooltip.filter((line) => line !== label);
  const isSaidBelow = (words: string): boolean =>
    [', ', '; '].some((mark) => lines.join(mark).includes(words));
  const head = [
    `**${forMarkdown(label)}**`,
    ...(description === undefined || isSaidBelow(description) ? [] : [forMarkdown(description)]),
  ];
  return [head.join('  \n'), lines.map((line) => `- ${forMarkdown(line)}`).join('\n')]
    .filter((part) => part !== '')
    .join('\n\n');
}
