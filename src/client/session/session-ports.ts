import type { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor, LoadedContent, SeedAnswer } from '../../protocol/messages.ts';
import type { Outbox, OutboxOwner } from '../offline/outbox.ts';
import type { FormerClient } from '../replica/former-client.ts';

/** The way in which a socket was closed. */
export interface SocketClosing {
  /** True if the app has closed it, or not opened it: then it opens only when the app says so. */
  readonly isByApp: boolean;
  /** True if this side ended the last connection or attempt, to stay closed or to connect anew. */
  readonly isMeant: boolean;
  /** True if the socket tries no more by itself: then it opens only when the app says so. */
  readonly isFinal: boolean;
  /** The code of the last close (RFC 6455, section 7.4); undefined if there was none. */
  readonly code: number | undefined;
  /** The text with which the other end closed it, often empty. */
  readonly reason: string;
}

/** The socket of a session. Its owner calls `opened`, `closed` and `received` on the session. */
export interface SessionSocket {
  isOpen(): boolean;
  /** Returns its URL for messages, without the query, which may hold a token; empty if it has no room yet. */
  address(): string;
  /** Returns how it was closed last, as far as that is known. */
  closing(): SocketClosing;
  /** Sends a frame. Call it only while open. */
  send(frame: string): void;
  /** Drops a connection that seems dead, and makes another. */
  reconnect(): void;
  /** Closes for good, because each further attempt would get the same error. */
  stop(error: TinyBasePartyKitError): void;
}

/** The room's `/store`. All methods reject with a `TinyBasePartyKitError`. */
export interface SessionEndpoint {
  /** With `unique`, a text that was never used, the URL is one that no cache has seen. `onBytes` gets the number of bytes so far. */
  get(unique?: string, onBytes?: (bytes: number) => void): Promise<LoadedContent>;
  /**
   * Resolves when the room answers 201 or 205, to its correction if it refused or altered anything (SEED-4), and to its cursor
   * if it holds just that content (HTTP-9).
   */
  put(content: LeafMap<Leaf>): Promise<SeedAnswer | undefined>;
}

/** Everything that a session takes from outside, except its Store. */
export interface SessionPorts {
  readonly socket: SessionSocket;
  readonly endpoint: SessionEndpoint;
  /** Calls back once, later; returns a function that prevents it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** The time, in milliseconds. It may be set back or forward. */
  readonly now: () => number;
  /** Calls back once, when the code that runs now has ended. */
  readonly soon: (callback: () => void) => void;
  /** 128 random bits as 22 characters of base64url. */
  readonly randomId: () => string;
  /** At least 0, less than 1. */
  readonly random: () => number;
  /**
   * The first generation. Sessions that use one socket in turn need different ones, so that a later session ignores answers to an
   * earlier one (JOIN-4).
   */
  readonly firstGeneration: number;
  /** Creates the outbox that makes pushes durable. Without it, nothing survives a restart. */
  readonly createOutbox?: (owner: OutboxOwner) => Outbox;
}

/** The end of another session, where this one continues (KEEP-1). */
export interface RestoredSession {
  readonly client?: FormerClient | undefined;
  readonly base?: { readonly cursor: Cursor; readonly content: LeafMap<Leaf> } | undefined;
}
