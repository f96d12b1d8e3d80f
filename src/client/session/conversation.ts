import type { Changes } from '../../protocol/changes.ts';
import { encodeClientMessage } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Ack, ErrorMessage, Pong, RoomMessage, Welcome } from '../../protocol/messages.ts';
import type { RestoredRecords } from '../offline/client-storage.ts';
import { Footing, type Step } from './footing.ts';
import { Greeting } from './greeting.ts';
import { Heartbeat } from './heartbeat.ts';
import type { Outbox } from '../offline/outbox.ts';
import { NO_PLACE, type Place } from './place.ts';
import { PushSender } from './push-sender.ts';
import type { Refusal } from '../replica/refusal.ts';
import type { Replica } from '../replica/replica.ts';
import type { SessionPorts } from './session-ports.ts';
import type { Stats } from './stats.ts';
import type { Wishes } from './wishes.ts';

/** How far a conversation has come; `off` while there is none. */
export type Standing = 'off' | 'catching-up' | 'live' | 'empty';

/** What a conversation needs of its session, and tells it. */
export interface ConversationOptions {
  readonly ports: SessionPorts;
  readonly prefix: () => string;
  readonly replica: Replica;
  readonly outbox: Outbox;
  readonly stats: Stats;
  readonly wishes: Wishes;
  /** The standing is another one. */
  readonly onStanding: (standing: Exclude<Standing, 'off'>) => void;
  /** A commit or an ack was accepted: all is well. */
  readonly onProgress: () => void;
  /** The room says that the content has to be loaded: the place is none now. */
  readonly onReload: () => void;
  /** Something was lost on the way: hello has to be said again. */
  readonly onLost: () => void;
  /** The room would answer every further attempt the same way. */
  readonly onStopped: (error: TinyBasePartyKitError) => void;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  readonly onError: (error: unknown) => void;
}

/** What is said over one socket after the other: hello, then pushes out, commits and acks in, in the room's order. */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #sender: PushSender;
  readonly #heartbeat: Heartbeat;
  readonly #greeting: Greeting;
  readonly #footing: Footing;
  #standing: Standing = 'off';
  #hasSaidHello = false;

  constructor(options: ConversationOptions) {
    this.#options = options;
    const { ports, prefix, replica, outbox, stats, onError } = options;
    this.#footing = new Footing(options);
    this.#heartbeat = new Heartbeat(ports.after, {
      ping: (isCheck) =>
        this.#send(encodeClientMessage(prefix(), { type: isCheck ? 'check' : 'ping' })),
      dead: () => this.#fallenSilent(),
    });
    this.#sender = new PushSender({
      replica,
      endpoint: ports.endpoint,
      prefix,
      identity: () => this.identity,
      isDurable: (push) => outbox.isPushDurable(push),
      send: (frame) => this.#send(frame),
      stats,
      onSent: (push) => this.#heartbeat.sent(push),
      onWithdrawn: () => {
        outbox.save();
        this.flush();
      },
      onLost: options.onLost,
      onError,
    });
    this.#greeting = new Greeting({ ...options, send: (frame) => this.#send(frame) });
  }

  /** As whom the room knows this client. */
  get identity(): { readonly clientId: string; readonly generation: number } {
    return this.#greeting.identity;
  }

  get standing(): Standing {
    return this.#standing;
  }

  get place(): Place {
    return this.#footing.place;
  }

  /** True if a hello was said on the socket as it is now. */
  get hasSaidHello(): boolean {
    return this.#hasSaidHello;
  }

  /** True if loaded content may include a push that is still pending here (JOIN-6). */
  get mayRoomHavePending(): boolean {
    return this.#sender.mayHavePending;
  }

  /** What hello is said with next. */
  setPlace(place: Place): void {
    this.#footing.place = place;
  }

  /** Goes on where a client stopped (KEEP-1). */
  restore(restored: RestoredRecords): void {
    this.#greeting.restore(restored);
    this.#sender.restore(restored.outbox?.lastNumber ?? 0);
    this.#footing.restore(restored);
  }

  /** The socket has opened: nothing was said on it yet. */
  opened(): void {
    this.#hasSaidHello = false;
  }

  /** Says hello. The socket is open, and there is a place. */
  join(): void {
    this.#hasSaidHello = true;
    this.#greeting.begin();
    this.#sender.begin();
    this.#setStanding('catching-up');
    this.#options.outbox.save();
    this.#sendHello();
  }

  /** Nothing that arrives counts any more, until {@link join}. */
  leave(): void {
    this.#sender.stop();
    this.#heartbeat.stop();
    this.#greeting.end();
    this.#standing = 'off';
  }

  /** Becomes another client, of another room. */
  renew(): void {
    this.leave();
    this.#greeting.renew();
    this.#sender.restore(0);
    this.#footing.renew();
  }

  /** The connection may be dead. */
  check(): void {
    this.#heartbeat.check();
  }

  /** Something was heard on the socket. */
  heard(message: RoomMessage): void {
    this.#heartbeat.heard(message.type !== 'pong' && message.type !== 'alive');
  }

  /** More is durable here: what waited for that goes out. */
  durable(): void {
    this.#sendHello();
    this.flush();
  }

  /** Sends what is pending, if the room takes it now. */
  flush(): void {
    if (this.#standing === 'live' && this.#options.ports.socket.isOpen()) this.#sender.flush();
  }

  /** Deals with a message. False: the Store is busy, and nothing was done. */
  handle(message: RoomMessage): boolean {
    switch (message.type) {
      case 'welcome':
        return this.#welcomed(message);
      case 'commit':
        return this.#standing !== 'live' || this.#stepped(this.#footing.commit(message));
      case 'ack':
        return this.#standing !== 'live' || this.#acked(message);
      case 'pong':
        this.#compare(message);
        return true;
      case 'alive':
        this.#heartbeat.alive();
        return true;
      case 'error':
        this.#failed(message);
        return true;
      case 'stock':
        return true;
    }
  }

  #fallenSilent(): void {
    // A stock room answers no hello: only a GET can tell whether this has become one (STOCK-4).
    if (this.#standing === 'catching-up') this.#footing.place = NO_PLACE;
    this.#options.ports.socket.reconnect();
  }

  #sendHello(): void {
    if (this.#standing !== 'catching-up') return;
    if (this.#greeting.say(this.#footing.cursor)) this.#heartbeat.start();
  }

  #welcomed(welcome: Welcome): boolean {
    if (welcome.generation !== this.identity.generation || this.#standing === 'off') return true;
    this.#greeting.end();
    if (welcome.changes !== undefined) {
      return this.#standing !== 'catching-up' || this.#caughtUp(welcome, welcome.changes);
    }
    if (welcome.cursor.version === 0 && this.#footing.place.type === 'empty')
      this.#setStanding('empty');
    else {
      this.#footing.place = NO_PLACE;
      this.#options.onReload();
    }
    return true;
  }

  #caughtUp(welcome: Welcome, changes: Changes): boolean {
    const { isShown } = this.#footing;
    if (this.#footing.catchUp(welcome, changes) === 'busy') return false;
    this.#sender.limit(welcome.limits);
    this.#sender.begin();
    this.#setStanding('live');
    this.flush();
    if (isShown) this.#footing.tellIfNew();
    return true;
  }

  #acked(ack: Ack): boolean {
    const step = this.#footing.acknowledge(ack);
    if (step === 'done') this.#sender.answered(ack.number);
    return this.#stepped(step);
  }

  #stepped(step: Step): boolean {
    if (step === 'done') this.#options.onProgress();
    else if (step === 'lost') this.#options.onLost();
    return step !== 'busy';
  }

  /** Whatever was lost on the way shows here (ORDER-7). */
  #compare(pong: Pong): void {
    const sentBefore = this.#heartbeat.answered();
    if (sentBefore === undefined || this.#standing === 'empty') return;
    const isLost =
      this.#standing !== 'live' || !this.#footing.agreesWith(pong) || pong.lastPush < sentBefore;
    if (isLost) this.#options.onLost();
  }

  #failed({ code, message, push }: ErrorMessage): void {
    const { onLost, onStopped, onError } = this.#options;
    const error = new TinyBasePartyKitError(code, message);
    switch (code) {
      case 'stale':
      case 'unavailable':
      case 'overloaded':
      case 'not-found':
      case 'full':
      case 'failed':
      case 'network':
        // First, so that it is told as what keeps the session from being live.
        onLost();
        onError(error);
        return;
      case 'malformed':
      case 'too-large':
        // About one message, which may be the app's own, unless it says which push.
        onError(error);
        if (push !== undefined && this.#standing === 'live') this.#sender.notUnderstood(push);
        return;
      case 'expired':
        // The next attempt to connect asks for the query, and so for a new token.
        onError(error);
        this.#options.ports.socket.reconnect();
        return;
      case 'unauthorized':
      case 'forbidden':
      case 'protocol':
      case 'replaced':
      case 'destroyed':
        onError(error);
        onStopped(error);
    }
  }

  #setStanding(standing: Exclude<Standing, 'off'>): void {
    this.#standing = standing;
    this.#options.onStanding(standing);
  }

  #send(frame: string): void {
    const { socket } = this.#options.ports;
    if (socket.isOpen()) socket.send(frame);
  }
}
