import type { Store } from 'tinybase';

import type { Changes } from '../../protocol/changes.ts';
import { decodeRoomMessage, encodeClientMessage } from '../../protocol/codec.ts';
import { ERRORS, TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Cursor } from '../../protocol/messages.ts';
import { createContentLoader, isOfLoader } from '../content/content-loader.ts';
import { createSeed, type InitialContent } from '../content/seed.ts';
import { createVolatileOutbox, type Outbox } from '../offline/outbox.ts';
import type { FormerClient } from '../replica/former-client.ts';
import type { Refusal } from '../replica/refusal.ts';
import { Replica } from '../replica/replica.ts';
import { sendStockChanges } from '../stock/stock-sender.ts';
import { createBackoff } from './backoff.ts';
import { createConfirmations } from './confirmations.ts';
import { createConnectWatchdog } from './connect-watchdog.ts';
import { BUSY_MILLISECONDS, createEventQueue } from './event-queue.ts';
import { createHandover, type HandoverOwner } from './handover.ts';
import { createHandshake } from './handshake.ts';
import { createHeartbeat } from './heartbeat.ts';
import { createPushSender } from './push-sender.ts';
import { createRoomSocket } from './room-socket.ts';
import { createSaveReminder } from './save-reminder.ts';
import type { SessionPorts } from './session-ports.ts';
import { SUSPICIOUS } from './session-loading.ts';
import { INITIAL_STATE, restored, transition } from './session-state.ts';
import type {
  Action,
  Facts,
  Fold,
  SessionEvent,
  SessionState,
  SimpleAction,
  SimpleEvent,
  SyncIntent,
  WithdrawalReason,
} from './session-types.ts';
import { bringsRemoteChanges, doFold } from './store-fold.ts';
import {
  createSyncStatus,
  isHindered,
  type SessionActivity,
  type SessionEvents,
  type Sync,
  type SyncStats,
} from './sync-status.ts';

/** After so many retries, in about ten seconds, the app is told, unless it knows an error (JOIN-10). */
const MOST_RETRIES = 8;

const STUCK_MESSAGE =
  'A transaction of this Store has been open for 10 seconds: call finishTransaction().';
const CACHE_MESSAGE = 'The room lets this client begin again and again: look for a cache of GET.';
const AGAIN_MESSAGE =
  'The room lets this client begin again and again: look at earlier errors, at its console, then for a proxy that loses frames.';
const MOVED_MESSAGE = 'The socket leads to another room, which does not get the unconfirmed edits.';
const TAKEN_MESSAGE = 'Another page of this browser sends the unconfirmed edits.';
const DESTROYED_MESSAGE =
  'The persister was destroyed: later edits are not tracked. Create another one.';
const REPLACED_MESSAGE =
  'Another persister uses this socket and messagePrefix: this one has stopped.';

/** Keeps a Store and a room together, as far as the app wants it. */
export interface SyncSession {
  /** The session's view of the Store. */
  readonly replica: Replica;
  /** The state as of now. */
  readonly sync: Sync;
  /** Counts of applied and sent changes. */
  readonly stats: SyncStats;
  /** The cursor of the base; undefined while the client holds nothing of the room. */
  readonly cursor: Cursor | undefined;
  /** The address of the room that the session is in. The socket may lead elsewhere already. */
  readonly room: string;
  readonly isFollowing: boolean;
  readonly isSaving: boolean;
  /**
   * Shows the room's content and everything that happens to it. Settles after the first attempt to load. With `isToo`, a room that has
   * refused the client is not asked again.
   */
  follow(initialContent?: InitialContent, isToo?: boolean): Promise<void>;
  /** Shows no more remote changes. */
  stopFollowing(): void;
  /** Sends edits from now on, and the held ones. Settles when the room has a Store or does not answer. */
  startSaving(): Promise<void>;
  /** Holds edits from now on. Pending pushes are still sent. */
  stopSaving(): void;
  /** Shows the room's content once. */
  load(initialContent?: InitialContent): Promise<void>;
  /** Sends the held edits once. If the room has no content, makes the Store its initial content. */
  save(): Promise<void>;
  /** Settles when all edits made so far are confirmed; rejects if they cannot be any more. */
  whenConfirmed(): Promise<void>;
  /** As {@link whenConfirmed}, for edits that are on their way: without those that wait for saving to start. */
  whenSentConfirmed(): Promise<void>;
  /** Shows the room's leaves in place of local-only ones (LOCAL-2). */
  discardLocal(): void;
  /** The socket is open. If it leads to another room now, edits of the old one are not sent there. */
  opened(): void;
  /** The socket is not open any more, or has failed to open. */
  closed(): void;
  /** The network was lost, or is back. */
  networkChanged(): void;
  /** A message arrived; those that are not ours are ignored. */
  received(data: unknown): void;
  /** Sends what waits for the end of this turn. */
  sendNow(): void;
  /** The query of the socket was asked for. Reports the error, if there is one. */
  queried(isThere: boolean, error?: unknown): void;
  /** Another part of the client has stopped the socket. */
  stopped(error: TinyBasePartyKitError): void;
  /** Ends the session; edits that are not confirmed are reported. */
  destroy(): void;
  /** Ends the session, because another one uses the socket from now on. Reports that unless `isReported` is false. */
  replaced(isReported?: boolean): void;
}

/**
 * Creates a session that was not started. It asks the state machine (`session-state.ts`) at each event, and does the
 * returned actions. Synchronous at its core: sockets, HTTP, time and randomness come from outside.
 */
export function createSyncSession(
  store: Store,
  prefix: string,
  ports: SessionPorts,
  events: SessionEvents,
  activity: SessionActivity,
): SyncSession {
  const { after, endpoint, randomId, firstGeneration } = ports;
  let state: SessionState = { ...INITIAL_STATE, generation: firstGeneration };
  let starters: (() => void)[] = [];
  const stats: SyncStats = { loads: 0, saves: 0 };

  const onError = (error: unknown): void => status.failed(error);
  const happened = (event: SessionEvent): void => queue.add(event);
  /** The error of a session that is over; undefined if something can still be started. */
  let end: TinyBasePartyKitError | undefined;
  const socket = createRoomSocket(ports.socket);
  const client = (): FormerClient => ({
    clientId: handshake.clientId(),
    generation: state.generation,
    pushes: replica.pending,
    lastNumber: replica.lastNumber,
    lastSent: sender.everSent(),
    held: replica.held,
  });
  const unsaved = (): number =>
    replica.pending.length + (replica.held ? 1 : 0) + (replica.hasEarly ? 1 : 0);
  const updateStatus = (): void => {
    confirmations.settle(unsaved() === 0 ? Infinity : replica.oldestUnanswered);
    const { phase } = state.stage;
    activity.sending(replica.pending.length > 0 && (phase === 'live' || phase === 'reduced'));
    status.update();
  };
  const reportRefusals = (refusals: readonly Refusal[]): void => {
    if (refusals.length > 0) events.onRefused(refusals);
  };

  const status = createSyncStatus(events, () => {
    const { stage } = state;
    return {
      phase: stage.phase,
      unsaved: unsaved(),
      localOnly: replica.overlay.localOnly,
      loadedBytes: stage.phase === 'loading' ? loader.loadedBytes() : undefined,
      end: stage.phase === 'stopped' ? stage.error : undefined,
    };
  });
  const replica = new Replica(store, {
    onPending: (held) => {
      outbox.save(held);
      queue.add('edited');
      if (replica.held) reminder.held();
    },
    onRefused: (refusals) => {
      if (refusals.length > 0) updateStatus();
      reportRefusals(refusals);
    },
    onError,
  });
  const owner: HandoverOwner = {
    after,
    socket,
    prefix,
    replica,
    client,
    state: () => state,
    isSendingParts: () => sender.isSendingParts(),
    /** Continues where an earlier session has ended. */
    restore: (earlier, isShown) => {
      const { client: left, base } = earlier;
      if (!replica.restore(base?.content, left, isShown)) return false;
      if (left !== undefined) {
        handshake.renew(left.clientId);
        sender.restore(left.lastSent);
      }
      state = restored(state, earlier);
      replica.setSaving(state.intent.isSaving);
      return true;
    },
    happened,
    onError: events.onError,
    onRefused: reportRefusals,
  };
  const outbox: Outbox = ports.createOutbox?.(owner) ?? createVolatileOutbox();
  const confirmations = createConfirmations();
  const seed = createSeed(replica, reportRefusals);
  const loader = createContentLoader(
    endpoint,
    seed,
    (event) => queue.addMessage(event),
    after,
    () => status.update(),
  );
  const handshake = createHandshake(ports, prefix, replica, outbox, socket.send, onError);
  const heartbeat = createHeartbeat(ports, {
    ping: (isCheck) => {
      sender.ask();
      socket.send(encodeClientMessage(prefix, { type: isCheck ? 'check' : 'ping' }));
    },
    dead: () => {
      sender.silent();
      happened('silent');
    },
  });
  const sender = createPushSender(replica, outbox, prefix, heartbeat, ports, {
    send: socket.send,
    isLive: () => state.stage.phase === 'live' && socket.isOpen(),
    happened,
    onError,
    stats,
  });
  const backoff = createBackoff(ports, () => happened('retry'));
  /** Attempts after a refusal: nothing that goes well on the way to the next one makes them faster. */
  const beginnings = createBackoff(ports, () => happened('retry'));
  const watchdog = createConnectWatchdog(
    ports,
    socket,
    () => status.sync.error !== undefined,
    onError,
  );

  const foldParts = {
    replica,
    outbox,
    seed,
    loader,
    onRefused: reportRefusals,
  };
  const facts = (): Facts => {
    const pinged = heartbeat.pinged();
    return {
      oldestUnanswered: replica.oldestUnanswered,
      hasPending: replica.pending.length > 0,
      everSent: sender.everSent(),
      pinged: pinged !== undefined && sender.lacksReceipt() ? Infinity : pinged,
    };
  };
  const cursorNow = (): Cursor | undefined => {
    const { position } = state.stage;
    return position.type === 'base' ? position.cursor : undefined;
  };
  const isWaitingForSocket = (): boolean => isHindered(state.stage.phase);

  const fold = (change: Fold): boolean => {
    if (!state.intent.isFollowing || !bringsRemoteChanges(change)) return doFold(foldParts, change);
    activity.applying(true);
    const isDone = doFold(foldParts, change);
    if (isDone && change.type === 'commit') stats.loads++;
    activity.applying(false);
    return isDone;
  };
  const queue = createEventQueue<SessionEvent>(
    after,
    // A session that ends leaves its edits to its room. A stopped one moves as soon as the socket has opened at the other room.
    () =>
      socket.isAway() &&
      end === undefined &&
      (state.stage.phase !== 'stopped' || socket.isConnected())
        ? { type: 'moved', generation: firstGeneration }
        : undefined,
    (event) => {
      if (state.isRooted) replica.claim.noteRoomShown();
      const step = transition(state, event, facts());
      if (step.fold !== undefined && !fold(step.fold)) {
        updateStatus();
        return false;
      }
      const { intent: before } = state;
      ({ state } = step);
      if (step.fold !== undefined) outbox.folded?.(step.fold, cursorNow());
      if (state.intent !== before) {
        replica.setFollowing(state.intent.isFollowing);
        replica.setSaving(state.intent.isSaving);
      }
      for (const action of step.actions) act(action);
      if (!isWaitingForSocket()) watchdog.end(replica.pending.length === 0);
      else if (!socket.isOpen()) watchdog.begin();
      updateStatus();
      return true;
    },
    () => onError(new TinyBasePartyKitError('misuse', STUCK_MESSAGE)),
  );

  const act = (action: Action): void => {
    if (typeof action === 'string') return actions[action]();
    switch (action.type) {
      case 'report':
        return onError(action.error);
      case 'welcomed':
        handshake.end();
        return sender.begin(action.limits);
      case 'withdraw':
        return withdraw(action.push, action.reason);
      case 'received':
        return sender.received(action.receipt);
    }
  };
  const load = (unique?: string): void => {
    queue.forget();
    backoff.stop();
    beginnings.stop();
    loader.load(unique);
  };
  const retry = (isSoon?: boolean): void => {
    const retries = backoff.retry(isSoon);
    const isOld = state.reloads >= SUSPICIOUS;
    const isTime = retries === MOST_RETRIES || (isOld && retries <= SUSPICIOUS);
    if (isTime && status.sync.error === undefined)
      onError(new TinyBasePartyKitError('network', isOld ? CACHE_MESSAGE : AGAIN_MESSAGE));
  };
  const actions: Readonly<Record<SimpleAction, () => void>> = {
    'release-held': () => replica.releaseHeld(),
    load: () => load(),
    'load-past-caches': () => load(randomId()),
    loaded: () => {
      seed.drop();
      seed.tellRefusals();
    },
    'show-initial': () => {
      seed.show();
    },
    settle: () => {
      const settled = starters;
      starters = [];
      for (const resolve of settled) resolve();
    },
    connect: () => {
      if (socket.isOpen()) happened('connected');
      // The app has pointed it at another room, and may point it back.
      else if (socket.isConnected()) backoff.retry();
    },
    hello: () => {
      if (!socket.isOpen()) {
        happened('closed');
        return actions.connect();
      }
      const { position } = state.stage;
      const cursor = 'cursor' in position ? position.cursor : undefined;
      if (position.type === 'stock')
        handshake.say(state.generation, cursor, () => happened('unanswered'));
      else if (handshake.say(state.generation, cursor)) heartbeat.start();
    },
    flush: () => {
      if (state.stage.phase !== 'reduced') return sender.flush();
      activity.sending(replica.pending.length > 0);
      stats.saves += sendStockChanges(socket, prefix, replica, outbox);
    },
    'hang-up': () => {
      heartbeat.stop();
      handshake.end();
    },
    forget: () => queue.forget(isOfLoader),
    'retry-later': () => retry(),
    'retry-soon': () => retry(true),
    'begin-anew': () => {
      beginnings.retry(true);
    },
    'retry-now': () => {
      backoff.hurry();
      beginnings.hurry();
      loader.hurry();
    },
    'reset-retry': () => backoff.reset(true),
    'relax-retry': () => backoff.reset(),
    check: () => heartbeat.check(),
    ponged: () => {
      heartbeat.answered();
      // Those that were due while the socket led elsewhere for a moment still wait.
      sender.flush();
    },
    alive: () => heartbeat.alive(),
    reconnect: () => socket.reconnect(),
    resume: () => happened('resume'),
    move: () => {
      confirmations.end(new TinyBasePartyKitError('replaced', MOVED_MESSAGE));
      queue.forget();
      loader.cancel();
      seed.tellRefusals();
      handover.giveUp();
      actions.renew();
      handover.enter();
    },
    'enter-again': () => {
      confirmations.end(new TinyBasePartyKitError('replaced', TAKEN_MESSAGE));
      queue.forget();
      loader.cancel();
      seed.tellRefusals();
      const left = handover.leaveLost();
      actions.renew();
      handover.enter(left);
    },
    renew: () => {
      handshake.renew();
      sender.restore(0);
    },
    stop: () => {
      const { stage } = state;
      if (stage.phase !== 'stopped') return;
      const { error, isOver } = stage;
      queue.forget();
      backoff.stop();
      loader.cancel();
      seed.tellRefusals();
      actions.settle();
      confirmations.end(error);
      if (isOver) {
        handover.leave();
        replica.stop();
      } else {
        // First: the app may begin anew when it is told.
        socket.stop(error);
        updateStatus();
      }
    },
  };

  const handover = createHandover(owner, outbox, queue);
  const reminder = createSaveReminder(after, () => starters.length > 0, events.onError);
  /** The intent as it will be after the events that wait. */
  const intent = (): SyncIntent =>
    queue.waiting.reduce((later, event) => transition(later, event, facts()).state, state).intent;
  const start = (event: SimpleEvent): Promise<void> => {
    if (end !== undefined) {
      onError(end);
      return Promise.resolve();
    }
    if (socket.room() === undefined) handover.enter();
    return new Promise((resolve) => {
      starters.push(resolve);
      happened(event);
    });
  };
  const startLoading = (event: SimpleEvent, content: InitialContent | undefined): Promise<void> => {
    stats.loads++;
    seed.suggest(content);
    return start(event);
  };
  const startSaving = (event: SimpleEvent): Promise<void> => {
    reminder.end();
    // Held edits are counted when they are sent.
    if (!replica.held) stats.saves++;
    return start(event);
  };
  const endWith = (error: TinyBasePartyKitError): void => {
    end ??= error;
    reminder.end();
    // Starts that wait do not begin any more.
    queue.restart();
    sender.sendNow();
    queue.add({ type: 'ended', error });
  };
  const discardLocal = (changes?: Changes): void => {
    if (end !== undefined) return;
    if (replica.discardLocal(changes)) updateStatus();
    else after(BUSY_MILLISECONDS, () => discardLocal(changes));
  };
  const withdraw = (push: number, reason: WithdrawalReason): void => {
    const changes = sender.refused(push, reason);
    // A user who may only read sees the room's version again, as after any other refusal (PART-3).
    if (changes !== undefined && reason === 'access') discardLocal(changes);
  };

  return {
    replica,
    get sync() {
      return status.sync;
    },
    get stats() {
      return { ...stats };
    },
    get cursor() {
      return cursorNow();
    },
    get room() {
      return socket.room() ?? '';
    },
    get isFollowing() {
      return intent().isFollowing;
    },
    get isSaving() {
      return intent().isSaving;
    },
    follow: (content, isToo) => startLoading(isToo ? 'follow-too' : 'follow', content),
    stopFollowing: () => happened('stop-following'),
    startSaving: () => startSaving('start-saving'),
    stopSaving: () => happened('stop-saving'),
    load: (content) => startLoading('load-once', content),
    save: () => startSaving('save-once'),
    whenConfirmed: () => {
      if (state.stage.phase === 'stopped') return Promise.reject(state.stage.error);
      if (unsaved() === 0) return Promise.resolve();
      // Edits that are not pending will be one push, the next.
      const isNextUnsaved = unsaved() > replica.pending.length;
      return confirmations.wait(replica.lastNumber + (isNextUnsaved ? 1 : 0));
    },
    whenSentConfirmed: () =>
      replica.pending.length === 0 || end !== undefined
        ? Promise.resolve()
        : confirmations.wait(replica.lastNumber),
    discardLocal,
    opened: () => {
      socket.opened();
      watchdog.opened();
      sender.opened();
      happened('opened');
    },
    closed: () => {
      socket.closed();
      // The event may have to wait, and the next connection begins with hello.
      heartbeat.stop();
      // "Message too big" (RFC 6455, section 7.4.1).
      const { code, isMeant } = socket.closing();
      if (code === 1009) sender.halve();
      sender.closed(isMeant);
      if (isWaitingForSocket()) watchdog.closed();
      happened('closed');
      if (isWaitingForSocket()) watchdog.tellEnd();
    },
    networkChanged: () => happened('network-changed'),
    sendNow: () => sender.sendNow(),
    received: (data) => {
      let message;
      try {
        message = decodeRoomMessage(prefix, data);
      } catch {
        // With an empty prefix this may be the app's own; if it was ours, the next commit or pong shows the gap.
      }
      if (message === undefined) return;
      if (message.type === 'welcome') {
        sender.answered();
        if (outbox.heard?.(message)) return;
      }
      heartbeat.heard(
        message.type !== 'pong' && message.type !== 'alive',
        // Only acks and receipts have numbers.
        replica.pending.length > 0 && !('number' in message),
      );
      // The room asks for a push again: that is no loss on the way (PART-5).
      if (message.type === 'error' && ERRORS[message.code].isRetryable) sender.closed(true);
      // Answered at once: the room sends nothing more to a connection that does not read (FLOOD-7).
      if (message.type === 'mark') socket.send(encodeClientMessage(prefix, message));
      else queue.addMessage(message);
    },
    queried: (isThere, error) => {
      watchdog.queried(isThere);
      if (error !== undefined) onError(error);
    },
    stopped: (error) => happened({ type: 'stopped', error }),
    destroy: () => endWith(new TinyBasePartyKitError('destroyed', DESTROYED_MESSAGE)),
    replaced: (isReported = true) => {
      if (end !== undefined) return;
      const error = new TinyBasePartyKitError('replaced', REPLACED_MESSAGE);
      endWith(error);
      if (isReported) onError(error);
    },
  };
}
