import {
  createHeadlessBrowser,
  type HeadlessBrowser,
  type Page,
} from '../identity-provider/headless-browser.ts';

/**
 * Signs somebody in on the stand-in's own page (U2M), and says yes where they are asked whether the application may act
 * for them.
 *
 * @returns the page that the browser ends at.
 */
export async function signInAtDatabricks(
  address: string,
  person: { readonly userName: string; readonly password: string },
  browser: HeadlessBrowser = createHeadlessBrowser(),
): Promise<Page> {
  const fields = { user_name: person.userName, password: person.password };
  const next = await browser.submit(await browser.open(address), fields, 'do=sign-in');
  return next.html.includes('value="allow"') ? browser.submit(next, {}, 'do=allow') : next;
}
