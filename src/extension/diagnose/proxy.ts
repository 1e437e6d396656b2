import type { Localise } from '../localise.ts';
import type { Finding } from './finding.ts';

/** What VS Code and the environment say about proxies and certificates. */
export interface ProxyFacts {
  /** VS Code's settings of these names. */
  readonly settings: {
    readonly 'http.proxy': string;
    readonly 'http.proxySupport': string;
    readonly 'http.noProxy': readonly string[];
    readonly 'http.systemCertificates': boolean;
    readonly 'http.proxyStrictSSL': boolean;
  };
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'] as const;

/** Says which proxy is used, and what of the settings is dangerous or without effect. */
export function proxyFinding(l10n: Localise, { settings, environment }: ProxyFacts): Finding {
  const what = l10n.t('Proxy and certificates');
  const facts = [
    ...(settings['http.proxy'] === '' ? [] : [`http.proxy = ${withoutPassword(settings['http.proxy'])}`]),
    `http.proxySupport = ${settings['http.proxySupport']}`,
    ...(settings['http.noProxy'].length === 0
      ? []
      : [`http.noProxy = ${settings['http.noProxy'].join(', ')}`]),
    `http.systemCertificates = ${String(settings['http.systemCertificates'])}`,
    ...VARIABLES.flatMap((name) => {
      const value = environment[name];
      return value === undefined || value === '' ? [] : [`${name} = ${withoutPassword(value)}`];
    }),
    ...(environment['NODE_EXTRA_CA_CERTS'] === undefined
      ? []
      : [`NODE_EXTRA_CA_CERTS = ${environment['NODE_EXTRA_CA_CERTS']}`]),
  ];
  if (!settings['http.proxyStrictSSL'] || environment['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    return {
      ...{ what, outcome: 'failed', facts },
      words: l10n.t(
        "Certificates are not checked on this machine, so anybody in between could read your sign-in. Switch VS Code's setting 'http.proxyStrictSSL' on again, and take NODE_TLS_REJECT_UNAUTHORIZED away.",
      ),
    };
  }
  const isSet =
    settings['http.proxy'] !== '' ||
    ['HTTPS_PROXY', 'https_proxy'].some((name) => (environment[name] ?? '') !== '');
  if (isSet && settings['http.proxySupport'] === 'off') {
    return {
      ...{ what, outcome: 'warning', facts },
      words: l10n.t("A proxy is set, but VS Code's setting 'http.proxySupport' is off, so it is not used."),
    };
  }
  return {
    ...{ what, outcome: 'ok', facts },
    words: isSet
      ? l10n.t('A proxy is set, and used for everything but this machine.')
      : l10n.t("No proxy is set; your system's, if there is one, is used."),
  };
}

/** The address of a proxy may carry a name and a password. */
function withoutPassword(address: string): string {
  const url = URL.parse(address);
  if (url === null)
    return address.includes('@') ? `…@${address.slice(address.lastIndexOf('@') + 1)}` : address;
  if (url.username === '' && url.password === '') return address;
  url.username = '…';
  url.password = '';
  return decodeURIComponent(url.href);
}
