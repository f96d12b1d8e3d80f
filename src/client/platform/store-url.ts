import type PartySocket from 'partysocket';

/** Returns the URL of the room's `/store`, made from the socket's own room URL: the same host, path, prefix and query. */
export async function storeUrlOf(
  connection: PartySocket,
  storePath: string,
  storeProtocol: 'http' | 'https' | undefined,
): Promise<string> {
  const url = new URL(connection.roomUrl);
  const protocol = storeProtocol ?? (url.protocol === 'wss:' ? 'https' : 'http');
  url.pathname =
    url.pathname.replace(/\/$/, '') + (storePath.startsWith('/') ? storePath : `/${storePath}`);
  const { query } = connection.partySocketOptions;
  const parameters = typeof query === 'function' ? await query() : query;
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  return url.href.replace(/^wss?:/, `${protocol}:`);
}
