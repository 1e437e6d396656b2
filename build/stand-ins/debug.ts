/** The HTTP client's packages write traces where an environment variable asks for them; the extension has its own log. */
export default function createDebug(): () => void {
  return () => undefined;
}
