import type { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor, LoadedContent, SeedCorrection } from '../../protocol/messages.ts';
import type { Outbox, OutboxOwner } from '../offline/outbox.ts';
import type { PendingPush } from '../replica/replica.ts';

/** The socket of a session. Its owner calls `opened`, `closed` and `received` on the session. */
export interface SessionSocket {
  isOpen(): boolean;
  /** The URL that it leads to, for messages: without its query, which may hold a token. */
  address(): string;
  /** Called only while open. */
  send(frame: string): void;
  /** Drops the connection, which seems dead, and makes another. */
  reconnect(): void;
  /** Closes for good, with that reason: each further attempt would meet the same error. */
  stop(error: TinyBasePartyKitError): void;
}

/** The room's `/store`. All methods reject with a `TinyBasePartyKitError`. */
export interface SessionEndpoint {
  get(): Promise<LoadedContent>;
  /** Settles when the room answered 201 or 205, with what it says was refused or altered (SEED-4). */
  put(content: LeafMap<Leaf>): Promise<SeedCorrection | undefined>;
}

/** Everything that a session takes from outside, its Store apart. */
export interface SessionPorts {
  readonly socket: SessionSocket;
  readonly endpoint: SessionEndpoint;
  /** Calls back once, later; returns a function that prevents it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** 128 random bits as 22 characters of base64url. */
  readonly randomId: () => string;
  /** At least 0, less than 1. */
  readonly random: () => number;
  /**
   * Where generations begin, 0 by default: another for each session that uses one socket after the other, so that
   * what the room still answers to an older one is not heeded (JOIN-4).
   */
  readonly firstGeneration?: number;
  /** If given, it decides what is durable; otherwise nothing survives a restart. */
  readonly createOutbox?: (owner: OutboxOwner) => Outbox;
  readonly restored?: RestoredSession;
}

/** A client's records, decoded (KEEP-1). */
export interface RestoredSession {
  readonly outbox?: {
    readonly clientId: string;
    /** The highest generation that a hello may have been sent with. */
    readonly generation: number;
    /** The highest push number given out. */
    readonly lastNumber: number;
    /** Pushes that are pending again. */
    readonly pushes: readonly PendingPush[];
  };
  readonly base?: { readonly cursor: Cursor; readonly content: LeafMap<Leaf> };
}
