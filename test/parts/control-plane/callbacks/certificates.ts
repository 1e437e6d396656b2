import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A certificate with its key and the authority that signed it, in PEM. */
export interface Certificate {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes an authority and has it sign a certificate for a name (`DNS:…`, `IP:…`). */
export async function certificateFor(subjectAltName: string): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'oam-certificate-'));
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]) => run('openssl', args);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  try {
    await openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      at('ca.key'),
      '-out',
      at('ca.pem'),
      '-days',
      '2',
      '-subj',
      '/CN=Test CA',
    );
    await openssl('req', ...newKey, '-keyout', at('key.pem'), '-out', at('csr.pem'), '-subj', '/CN=Test');
    await writeFile(at('extensions'), `subjectAltName=${subjectAltName}\n`);
    await openssl(
      ...[
        'x509',
        '-req',
        '-in',
        at('csr.pem'),
        '-CA',
        at('ca.pem'),
        '-CAkey',
        at('ca.key'),
        '-CAcreateserial',
      ],
      ...['-out', at('cert.pem'), '-days', '2', '-extfile', at('extensions')],
    );
    const [ca, cert, key] = await Promise.all(
      ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readFile(at(name), 'utf8')),
    );
    return { ca: ca ?? '', cert: cert ?? '', key: key ?? '' };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
