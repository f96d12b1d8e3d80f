import { encodeChanges, encodeContent, jsonToChanges, jsonToContent } from '../changes-codec.ts';
import type { Changes } from '../changes.ts';
import { cursorToJson, jsonToCursor, type Cursor } from '../cursor.ts';
import { encodeFrame } from '../frame.ts';
import { asArray, asCount, asObject, decodeJson, type Json } from '../json.ts';
import type { LeafMap } from '../leaf-map.ts';
import type { Leaf } from '../leaf.ts';

/** The answer to a hello. */
export interface Welcome {
  readonly type: 'welcome';
  /** The generation of the hello that this answers. */
  readonly generation: number;
  readonly cursor: Cursor;
  /** The highest push number of this client that the room has applied or refused; 0 if it knows of none. */
  readonly lastPush: number;
  readonly limits: Limits;
  /** All changes since the cursor in the hello. Undefined means: load the content again, then say hello. */
  readonly changes: Changes | undefined;
  /** The whole content, in place of that at the cursor in the hello: the changes come on top of it (`JOIN-11`). */
  readonly content?: LeafMap<Leaf> | undefined;
  /** True if the room's history does not have the cursor in the hello any more: its storage was set back (`JOIN-9`). */
  readonly isSetBack?: true | undefined;
}

/** The limits of a room, in bytes of UTF-8. */
export interface Limits {
  /** A push larger than this travels in parts (PART-1). */
  readonly framePushBytes: number;
  /** A push larger than this is refused. */
  readonly pushBytes: number;
  /** The rate at which the client may send; undefined if the room does not tell. */
  readonly rate?: MessageRate | undefined;
}

/** The rate at which a connection may send. A message of over 16 KiB counts as several. */
export interface MessageRate {
  /** Messages a second, on average. */
  readonly messagesPerSecond: number;
  /** Messages at once, after a pause. */
  readonly messageBurst: number;
}

export const letter = 'w';

/** A welcome without its changes and content. */
export type WelcomeBeginning = Omit<Welcome, 'type' | 'changes' | 'content'>;

export function encode({ changes, content, ...beginning }: Welcome): string {
  return encodeWith(
    beginning,
    changes && encodeChanges(changes),
    content && encodeContent(content),
  );
}

/**
 * Encodes the frame of a welcome with changes and content that are encoded: they may be as large as the content, and many may
 * get the same.
 */
export function encodeWelcomeFrame(
  prefix: string,
  beginning: WelcomeBeginning,
  changes: string | undefined,
  content?: string,
): string {
  return encodeFrame(prefix, letter, encodeWith(beginning, changes, content));
}

function encodeWith(
  { generation, cursor, lastPush, limits, isSetBack }: WelcomeBeginning,
  changes: string | undefined,
  content: string | undefined,
): string {
  const cursorText = JSON.stringify(cursorToJson(cursor));
  const { framePushBytes, pushBytes, rate } = limits;
  const rateNumbers = rate === undefined ? [] : [rate.messagesPerSecond, rate.messageBurst];
  const limitsText = JSON.stringify([framePushBytes, pushBytes, ...rateNumbers]);
  const setBackText = isSetBack === true ? ',"setBack":1' : '';
  const contentText = content === undefined ? '' : `,"content":${content}`;
  return `{"generation":${generation},"cursor":${cursorText},"pushed":${lastPush},"limits":${limitsText},"changes":${changes ?? 'null'}${setBackText}${contentText}}`;
}

export function decode(json: string): Welcome {
  return decodeJson('welcome', json, jsonToWelcome);
}

function jsonToWelcome(json: Json | undefined): Welcome {
  const { generation, cursor, pushed, limits, changes, content, setBack } = asObject(json);
  return {
    type: 'welcome',
    generation: asCount(generation),
    cursor: jsonToCursor(cursor),
    lastPush: asCount(pushed),
    limits: jsonToLimits(limits),
    changes: changes ? jsonToChanges(changes) : undefined,
    content: content ? jsonToContent(content) : undefined,
    isSetBack: setBack === 1 || undefined,
  };
}

/** Ignores limits that a later version may add. */
function jsonToLimits(json: Json | undefined): Limits {
  const [framePushBytes, pushBytes, perSecond, burst] = asArray(json, 2, 8);
  return {
    framePushBytes: asCount(framePushBytes),
    pushBytes: asCount(pushBytes),
    // A room without such a limit says null.
    rate:
      typeof perSecond === 'number' && typeof burst === 'number'
        ? { messagesPerSecond: perSecond, messageBurst: burst }
        : undefined,
  };
}
