import type { NoticeWords } from './words.ts';

/**
 * A card for a workflow of Microsoft Teams that begins "When a Teams webhook request is received". What people wrote
 * stands in text runs, which know no Markdown.
 */
export function teamsMessage({ headline, loud, facts, link }: NoticeWords): string {
  return JSON.stringify({
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: {
          type: 'AdaptiveCard',
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          version: '1.4',
          body: [
            line([
              {
                text: headline,
                size: 'Medium',
                weight: 'Bolder',
                ...(loud && { color: 'Attention' as const }),
              },
            ]),
            ...facts.map(({ label, value }) =>
              line([{ text: `${label}: `, weight: 'Bolder' }, { text: value }]),
            ),
          ],
          ...(link !== undefined && {
            actions: [{ type: 'Action.OpenUrl', title: link.label, url: link.url }],
          }),
        },
      },
    ],
  });
}

interface TextRun {
  readonly text: string;
  readonly size?: 'Medium';
  readonly weight?: 'Bolder';
  readonly color?: 'Attention';
}

function line(runs: readonly TextRun[]) {
  return {
    type: 'RichTextBlock',
    inlines: runs.map((run) => ({ type: 'TextRun', ...run, text: inert(run.text) })),
  };
}

/** `{{DATE(…)}}` is the one thing that a card still reads in a text run. */
function inert(text: string): string {
  return text.replaceAll('{{', '{ {');
}
