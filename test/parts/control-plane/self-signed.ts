import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

/** A certificate that is its own authority, and its key, as files in PEM. */
export interface SelfSigned {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Makes one in a folder, for a server of these names (`DNS:…`, `IP:…`). */
export async function selfSign(folder: string, ...names: readonly string[]): Promise<SelfSigned> {
  const [certFile, keyFile] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${names[0]?.replace(/^\w+:/, '') ?? ''}`, '-addext', `subjectAltName=${names.join()}`],
    ...['-keyout', keyFile, '-out', certFile],
  ]);
  return { certFile, keyFile };
}
