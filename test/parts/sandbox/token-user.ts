/** Whose a token is, by the word of the stand-in workspace. */
export async function userOf(host: string, token: string): Promise<string | undefined> {
  const me = await fetch(`${host}/api/2.0/preview/scim/v2/Me`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return ((await me.json()) as { userName?: string }).userName;
}
