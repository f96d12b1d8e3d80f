import { encodeContent } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type { RoomDocument } from '../../protocol/room-handle.ts';
import { isCount, isRecord } from '../storage/json-shape.ts';
import type { SalvagedRoom } from '../storage/salvage.ts';
import { readGivenContent } from './given-content.ts';

const FORMAT = 'tinybase-partykit room';
const FORMAT_VERSION = 1;
const UNKNOWN_EPOCH = 'unknown';
/** More commits than any room makes, and far below the largest number that can be counted to. */
const HIGHEST_VERSION = 2 ** 48;

/** Makes a document of a room's content, which is JSON already. */
export function makeRoomDocument({ epoch, version }: Cursor, json: string): RoomDocument {
  const content: unknown = JSON.parse(json);
  return { format: FORMAT, formatVersion: FORMAT_VERSION, epoch, version, content };
}

/** Makes a document of what could be read of a room that cannot be loaded. */
export function makeSalvagedDocument({
  epoch = UNKNOWN_EPOCH,
  version,
  content,
  damage,
}: SalvagedRoom): RoomDocument {
  const document = makeRoomDocument({ epoch, version }, encodeContent(content));
  return damage.length === 0 ? document : { ...document, incomplete: damage };
}

/**
 * Reads a document. Throws `malformed` for anything else, for a document of a later release, and for numbers that JSON
 * would change: infinite ones and `NaN`.
 */
export function readRoomDocument(document: unknown): { version: number; content: LeafMap<Leaf> } {
  if (typeof document === 'string') throw malformed('it is a text: parse it first');
  if (!isRecord(document)) throw malformed('it is not an object');
  const { format, formatVersion, version, content } = document;
  if (format !== FORMAT) throw malformed(`its format is not "${FORMAT}"`);
  if (!isCount(formatVersion) || formatVersion === 0) {
    throw malformed('its formatVersion has to be a whole number from 1 on');
  }
  if (formatVersion > FORMAT_VERSION)
    throw malformed(`its formatVersion is ${formatVersion}, which needs a newer release`);
  if (!isCount(version) || version === 0 || version > HIGHEST_VERSION)
    throw malformed(`its version has to be a whole number from 1 to ${HIGHEST_VERSION}`);
  let leaves: LeafMap<Leaf> | undefined;
  try {
    leaves = readGivenContent(content);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw malformed(`its content is invalid (${why})`, error);
  }
  if (leaves === undefined) throw malformed('it has no content');
  return { version, content: leaves };
}

function malformed(what: string, cause?: unknown): TinyBasePartyKitError {
  const message = `The document of the room is invalid: ${what}. Use what exportRoom() returned.`;
  return new TinyBasePartyKitError('malformed', message, { cause });
}
