import type { NoticeWords } from './words.ts';

/**
 * A message for an incoming webhook of Slack. What people wrote stands in `plain_text`, which knows no format, no
 * mention and no link; the three characters that Slack reads everywhere are escaped.
 */
export function slackMessage(words: NoticeWords): string {
  const { headline, loud, facts, link } = words;
  return JSON.stringify({
    // What a notification shows, and a client that shows no blocks.
    text: `${loud ? ':rotating_light: ' : ''}${escape(headline)}`,
    mrkdwn: false,
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      ...(loud ? [{ type: 'section', text: { type: 'mrkdwn', text: ':rotating_light: <!here>' } }] : []),
      section(headline),
      ...facts.map(({ label, value }) => section(`${label}: ${value}`)),
      ...(link === undefined ? [] : [{ type: 'actions', elements: [button(link)] }]),
    ],
  });
}

function section(text: string) {
  return { type: 'section', text: { type: 'plain_text', text: escape(text), emoji: false } };
}

function button({ label, url }: NonNullable<NoticeWords['link']>) {
  return { type: 'button', text: { type: 'plain_text', text: label }, url };
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
