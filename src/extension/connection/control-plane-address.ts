import { OamError } from '../../domain/errors.ts';

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * The origin that a setting names; undefined where it is empty.
 *
 * @throws {OamError} `bad_control_plane_url` where it is not an address, or not https (this machine excepted).
 */
export function controlPlaneOrigin(setting: string): string | undefined {
  const text = setting.trim();
  if (text === '') return undefined;
  const url = URL.parse(text);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname));
  if (url === null || !isSafe || url.username !== '' || url.password !== '') {
    throw new OamError(
      'bad_control_plane_url',
      'The control plane address must begin with https://. Correct it in the settings.',
      { detail: url === null ? text : url.host },
    );
  }
  return url.origin;
}
