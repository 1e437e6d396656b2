/** What a browser shows after redirects were followed and self-submitting forms were sent. */
export interface Page {
  readonly url: string;
  readonly status: number;
  readonly html: string;
}

/** As much of a browser as sign-in pages need: cookies, redirects and forms. */
export interface HeadlessBrowser {
  open(url: string): Promise<Page>;
  /**
   * Fills in the page's form and sends it as its button named `press` would (`name=value`).
   *
   * @throws {Error} where the page has no such form, field or button.
   */
  submit(page: Page, fields: Readonly<Record<string, string>>, press?: string): Promise<Page>;
}

interface Cookie {
  readonly value: string;
  readonly path: string;
}

const MAX_STEPS = 20;

/** A browser with an empty cookie jar: nobody is signed in. */
export function createHeadlessBrowser(): HeadlessBrowser {
  const jars = new Map<string, Map<string, Cookie>>();

  const remember = (url: URL, setCookies: readonly string[]): void => {
    const jar = jars.get(url.origin) ?? new Map<string, Cookie>();
    jars.set(url.origin, jar);
    for (const line of setCookies) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const [name = '', ...rest] = pair.split('=');
      const attribute = (wanted: string): string | undefined =>
        attributes.find((text) => text.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
      const path = attribute('path') ?? '/';
      const expires = attribute('expires');
      const gone = expires !== undefined && Date.parse(expires) <= Date.now();
      if (gone) jar.delete(`${name} ${path}`);
      else jar.set(`${name} ${path}`, { value: rest.join('='), path });
    }
  };

  const cookiesFor = (url: URL): string =>
    [...(jars.get(url.origin) ?? [])]
      .filter(([, cookie]) => pathMatches(url.pathname, cookie.path))
      .map(([key, cookie]) => `${key.split(' ', 1)[0] ?? ''}=${cookie.value}`)
      .join('; ');

  const exchange = async (address: string, form?: URLSearchParams): Promise<Page> => {
    let url = new URL(address);
    let body = form;
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const response = await fetch(url, {
        method: body ? 'POST' : 'GET',
        redirect: 'manual',
        headers: { accept: 'text/html', cookie: cookiesFor(url) },
        ...(body && { body }),
      });
      remember(url, response.headers.getSetCookie());
      const location = response.headers.get('location');
      if (location !== null && response.status >= 300 && response.status < 400) {
        await response.body?.cancel();
        url = new URL(location, url);
        // Not for a browser: it would give the address to the program that opens such ones.
        if (!/^https?:$/.test(url.protocol)) return { url: url.href, status: response.status, html: '' };
        body = undefined;
        continue;
      }
      const html = await response.text();
      if (html.includes('document.forms[0].submit()')) {
        const selfSubmitting = formIn({ url: url.href, status: response.status, html });
        url = selfSubmitting.action;
        body = selfSubmitting.hidden;
        continue;
      }
      return { url: url.href, status: response.status, html };
    }
    throw new Error(`The pages lead in a circle: ${address}`);
  };

  return {
    open: (url) => exchange(url),
    submit(page, fields, press) {
      const form = formIn(page);
      const body = form.hidden;
      for (const [name, value] of Object.entries(fields)) {
        if (!form.fields.includes(name)) throw new Error(`The page ${page.url} has no field: ${name}`);
        body.set(name, value);
      }
      if (press !== undefined) {
        if (!form.buttons.includes(press)) throw new Error(`The page ${page.url} has no button: ${press}`);
        const [name = '', value = ''] = press.split('=');
        body.set(name, value);
      }
      return exchange(form.action.href, body);
    },
  };
}

interface Form {
  readonly action: URL;
  readonly hidden: URLSearchParams;
  readonly fields: readonly string[];
  readonly buttons: readonly string[];
}

function formIn(page: Page): Form {
  const form = /<form\b[^>]*>[\s\S]*?<\/form>/.exec(page.html)?.[0];
  if (form === undefined) throw new Error(`The page has no form: ${page.url}, status ${page.status}`);
  const hidden = new URLSearchParams();
  const fields: string[] = [];
  for (const [tag] of form.matchAll(/<input\b[^>]*>/g)) {
    const name = attributeIn(tag, 'name') ?? '';
    if (attributeIn(tag, 'type') === 'hidden') hidden.set(name, attributeIn(tag, 'value') ?? '');
    else fields.push(name);
  }
  const buttons = [...form.matchAll(/<button\b[^>]*>/g)].map(
    ([tag]) => `${attributeIn(tag, 'name') ?? ''}=${attributeIn(tag, 'value') ?? ''}`,
  );
  return { action: new URL(attributeIn(form, 'action') ?? '', page.url), hidden, fields, buttons };
}

function attributeIn(tag: string, name: string): string | undefined {
  const text = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  return text
    ?.replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

/** RFC 6265 §5.1.4. */
function pathMatches(requested: string, cookiePath: string): boolean {
  if (!requested.startsWith(cookiePath)) return false;
  return (
    requested.length === cookiePath.length || cookiePath.endsWith('/') || requested[cookiePath.length] === '/'
  );
}
