import { decodeContent } from '../protocol/codec.ts';
import { TinyBasePartyKitError } from '../protocol/errors.ts';
import type { Leaf } from '../protocol/leaf.ts';
import type { LeafMap } from '../protocol/leaf-map.ts';
import type { Cursor } from '../protocol/messages.ts';
import { isCount, isRecord } from './storage/json-shape.ts';

const FORMAT = 'tinybase-partykit room';
const FORMAT_VERSION = 1;

/** A whole room as one JSON document: `JSON.stringify` loses nothing of it. */
export interface RoomDocument {
  readonly format: typeof FORMAT;
  readonly formatVersion: typeof FORMAT_VERSION;
  /** Names the history that the content is from. */
  readonly epoch: string;
  /** How many commits that history had. */
  readonly version: number;
  /** `[tables, values]`; objects and arrays are encoded, as they are on the wire. */
  readonly content: unknown;
}

/** Makes a document of a room's content, which is JSON already. */
export function makeRoomDocument({ epoch, version }: Cursor, json: string): RoomDocument {
  const content: unknown = JSON.parse(json);
  return { format: FORMAT, formatVersion: FORMAT_VERSION, epoch, version, content };
}

/** Reads a document. Throws `malformed` for anything else, also for one of a later release. */
export function readRoomDocument(document: unknown): { version: number; content: LeafMap<Leaf> } {
  if (!isRecord(document) || document['format'] !== FORMAT) throw malformed('it is none');
  const { formatVersion, version, content } = document;
  if (formatVersion !== FORMAT_VERSION) {
    throw malformed(`it has the version ${JSON.stringify(formatVersion)}, use a newer release`);
  }
  if (!isCount(version) || version === 0) throw malformed('its version is no version');
  const leaves = decodeContent(JSON.stringify(content) ?? '');
  if (leaves === undefined) throw malformed('it has no content');
  return { version, content: leaves };
}

function malformed(what: string): TinyBasePartyKitError {
  return new TinyBasePartyKitError('malformed', `Not a valid document of a room: ${what}.`);
}
