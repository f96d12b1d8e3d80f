import type PartySocket from 'partysocket';

import { TinyBasePartyKitError } from '../../protocol/errors.ts';

/**
 * Resolves to the URL of the content of a room. It is the URL of its socket, as the URL parser reads it, with another scheme
 * and with `storePath` before the query. `roomUrl` is the socket's, or was; empty if it has no room. `query` is of that room, see
 * {@link queryOf}. Rejects with `malformed` if the room or `storePath` cannot be a part of a URL: the content would be that of another room.
 */
export async function storeUrlOf(
  connection: PartySocket,
  roomUrl: string,
  query: unknown,
  storePath: string,
  storeProtocol: 'http' | 'https' | undefined,
): Promise<string> {
  const path = storePath.startsWith('/') ? storePath : `/${storePath}`;
  assertAddress(roomUrl, path, connection);
  // The parser needs the query: it trims spaces at the end of a URL, but not those before a query.
  const { href } = new URL(await socketUrlOf(connection, roomUrl, query));
  const start = href.indexOf('?');
  const address = start < 0 ? href : href.slice(0, start);
  const search = start < 0 ? '' : href.slice(start);
  const scheme = `${storeProtocol ?? (address.startsWith('wss:') ? 'https' : 'http')}:`;
  const url = address.replace(/^wss?:/, scheme).replace(/\/$/, '') + path;
  return search === '?' ? url : url + search;
}

/**
 * Returns the query of a socket, or a function that gives it. `updateProperties` changes the query only in the URL that a PartySocket
 * keeps to itself; if that has another name one day, the query is the first one.
 */
export function queryOf(connection: PartySocket): unknown {
  return Reflect.get(connection, '_url') ?? connection.partySocketOptions.query;
}

/** Resolves to the room's URL with the query, without the socket's own id. */
async function socketUrlOf(
  connection: PartySocket,
  roomUrl: string,
  query: unknown,
): Promise<string> {
  const given: unknown =
    typeof query === 'function' ? await Reflect.apply(query, connection, []) : query;
  // The room's own part may have a question mark, too.
  if (typeof given === 'string') return roomUrl + given.replace(/^[^]*?(?:\?_pk=[^&]*&?|$)/, '?');
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(given ?? {}))
    if (typeof value === 'string') parameters.append(name, value);
  return `${roomUrl}?${parameters.toString()}`;
}

/** Throws if the URL parser removes the room, or what follows it, from the URL (URL standard, section 4.4). */
function assertAddress(roomUrl: string, path: string, { basePath, room }: PartySocket): void {
  const address = roomUrl + path;
  const isEmpty = roomUrl === '' || (basePath === undefined && /^[/\\]/.test(room ?? ''));
  const segments = address.replace(/[\t\n\r]/g, '').split(/[/\\]/);
  const hasDots = segments.some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment));
  if (!isEmpty && !hasDots && !address.includes('#')) return;
  const message =
    `A URL cannot have this room, path, party or storePath: ${JSON.stringify(address)}. ` +
    'Use encodeURIComponent, or another name.';
  throw new TinyBasePartyKitError('malformed', message);
}
