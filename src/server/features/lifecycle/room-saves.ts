import type { Cursor } from '../../../protocol/messages.ts';
import { callersOf } from '../../room/change-origin.ts';
import type { FeatureRoom, RoomCommit, RoomSnapshot } from '../../room/room-feature.ts';
import type { AlarmSlot } from './alarm-slot.ts';
import type { LifecycleHooks, Save } from './lifecycle-hooks.ts';
import type { LifecycleSettings } from './lifecycle-settings.ts';
import { SaveAuthors } from './save-authors.ts';
import { isSameCursor, type SavedCursors } from './saved-cursors.ts';
import { storeChangesOf } from './store-changes.ts';

/** A hook that takes longer is reported, once a call. */
const SLOW_MILLISECONDS = 30_000;
/** So many saves in a row are reported if each was due only to what the room's own code did during the one before. */
const MOST_OWN_SAVES = 10;
/** The alarm of an emptying comes so long after its timer, which does the work if the room is awake. */
const EMPTYING_ALARM_MILLISECONDS = 1_000;

/** The objects that saves need. */
export interface SavesParts<Connection, Request> {
  readonly room: FeatureRoom<Connection>;
  readonly hooks: LifecycleHooks<Connection, Request>;
  readonly settings: LifecycleSettings;
  readonly cursors: SavedCursors;
  readonly alarm: AlarmSlot;
  /** Removes the other rows of the feature when an ephemeral room has removed its own. */
  readonly forgetStored: () => Promise<unknown>;
  readonly report: (error: unknown) => void;
}

/**
 * Calls `onStorageUpdated` and `onRoomDeleted`: never two at a time, and at least once for the last version, whatever
 * happens in between (`SAVE-2`). Timers make it prompt, and the alarm makes it certain (`SAVE-4`).
 */
export class RoomSaves<Connection, Request> {
  readonly #parts: SavesParts<Connection, Request>;
  #isReady = false;
  /** The time of the next save; undefined if everything is saved. */
  #saveTime: number | undefined;
  /** The time of the next emptying; undefined if somebody is there, or the hook was called since. */
  #emptyingTime: number | undefined;
  #lastSave = -Infinity;
  #failures = 0;
  /** The number of saves in a row during which the room's own code changed the room, while nothing else did. */
  #ownSaves = 0;
  #isSaving = false;
  /** A hook that failed is not called before this time. */
  #retryTime = -Infinity;
  readonly #authors = new SaveAuthors<Connection | Request>();
  /** The number of connections that have come. */
  #visits = 0;
  #isAnybodyThere = true;
  /** True if `onRoomDeleted` succeeded in this life of the room, and nobody has come since. */
  #hasEmptied = false;
  #running: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(parts: SavesParts<Connection, Request>) {
    this.#parts = parts;
  }

  /** Begins, or begins again after a load. */
  loaded(): void {
    this.#isReady = true;
    const { cursor } = this.#parts.room;
    if (cursor !== undefined) this.#authors.loaded(cursor);
    this.#update();
  }

  committed({ cursor, origin }: RoomCommit<Connection, Request>): void {
    const callers = callersOf(origin);
    this.#authors.add(cursor, callers);
    if (!this.#isSaving || callers.length > 0) this.#ownSaves = 0;
    const isPlanned = this.#saveTime !== undefined || !this.#hasSaveHook;
    if (!isPlanned || !this.#isAnybodyThere) this.#update();
  }

  admitted(): void {
    this.#visits += 1;
    this.#hasEmptied = false;
    this.#parts.cursors.emptied = undefined;
    this.#update();
  }

  left(): void {
    this.#update();
  }

  /** Does what is due, after an alarm. Resolves when it is done, or takes long. */
  async alarmed(isOwn: boolean): Promise<void> {
    const { room, cursors } = this.#parts;
    this.#updateDues();
    // It was set when the room was changed or emptied, perhaps in an earlier life.
    if (isOwn && !this.#isAnybodyThere && !this.#hasEmptied) cursors.emptied = undefined;
    if (this.#saveTime !== undefined && this.#failures === 0) {
      const earliest = this.#lastSave + this.#parts.settings.storageUpdatedMilliseconds;
      this.#saveTime = Math.min(this.#saveTime, Math.max(room.now(), earliest));
    }
    this.#update();
    let cancel: (() => void) | undefined;
    const late = new Promise<void>((resolve) => {
      cancel = room.after(SLOW_MILLISECONDS, resolve);
    });
    await Promise.race([this.#work(), late]);
    cancel?.();
    this.#update();
  }

  /** Call this when the storage was emptied. Nothing is due before there is content again. */
  forget(): void {
    this.#parts.cursors.forget();
    this.#authors.clear();
    this.#saveTime = this.#emptyingTime = undefined;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  get #hasSaveHook(): boolean {
    return this.#parts.hooks.onStorageUpdated !== undefined;
  }

  get #hasEmptying(): boolean {
    return this.#parts.hooks.onRoomDeleted !== undefined || this.#parts.settings.isEphemeral;
  }

  get #isUnsaved(): boolean {
    const { room, cursors } = this.#parts;
    return this.#hasSaveHook && hasStore(room.cursor) && !isSameCursor(cursors.saved, room.cursor);
  }

  /** Decides what is due when. Keeps what was decided before, unless the clock was set back since: nothing waits for that. */
  #updateDues(): void {
    const { room, cursors, settings } = this.#parts;
    this.#isAnybodyThere = room.connections().length > 0;
    const now = room.now();
    const { storageUpdatedMilliseconds, roomDeletedMilliseconds } = settings;
    const retryPause = this.#failures > 0 ? settings.retryPause(this.#failures) : 0;
    this.#retryTime = Math.min(this.#retryTime, now + retryPause);
    this.#lastSave = Math.min(this.#lastSave, now);
    const latestSave = now + Math.max(storageUpdatedMilliseconds, retryPause);
    const latestEmptying = now + Math.max(roomDeletedMilliseconds, retryPause);
    if (!this.#isUnsaved) this.#saveTime = undefined;
    else this.#saveTime = Math.min(this.#saveTime ?? now + storageUpdatedMilliseconds, latestSave);
    const isEmptying =
      this.#hasEmptying &&
      !this.#isAnybodyThere &&
      hasStore(room.cursor) &&
      !isSameCursor(cursors.emptied, room.cursor);
    if (!isEmptying) this.#emptyingTime = undefined;
    else
      this.#emptyingTime = Math.min(
        this.#emptyingTime ?? now + roomDeletedMilliseconds,
        latestEmptying,
      );
  }

  #update(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (!this.#isReady || this.#parts.room.cursor === undefined) return;
    this.#updateDues();
    const { room, alarm, settings } = this.#parts;
    const { saveAlarmMilliseconds } = settings;
    const saveAlarm = (this.#saveTime ?? Infinity) + saveAlarmMilliseconds;
    const emptyingAlarm =
      (this.#emptyingTime ?? Infinity) +
      Math.min(EMPTYING_ALARM_MILLISECONDS, saveAlarmMilliseconds);
    const latest = Math.min(saveAlarm, emptyingAlarm);
    alarm.want(latest === Infinity ? undefined : latest);
    const next = Math.min(this.#saveTime ?? Infinity, this.#emptyingTime ?? Infinity);
    if (next === Infinity || this.#running !== undefined) return;
    const wait = Math.max(0, next - room.now());
    this.#cancelTimer = room.after(wait, () => void this.#work());
  }

  /** Calls the hooks that are due, one after the other. Never rejects. */
  #work(): Promise<void> {
    this.#running ??= this.#workNow().finally(() => {
      this.#running = undefined;
      this.#update();
    });
    return this.#running;
  }

  async #workNow(): Promise<void> {
    // Not within the call that has found it due.
    await Promise.resolve();
    for (;;) {
      const now = this.#parts.room.now();
      if (isDue(this.#saveTime, now)) await this.#save();
      else if (isDue(this.#emptyingTime, now)) await this.#empty();
      else return;
    }
  }

  async #save(): Promise<void> {
    const { room, hooks, cursors } = this.#parts;
    this.#lastSave = room.now();
    this.#saveTime = undefined;
    const snapshot = await this.#snapshot();
    if (snapshot === undefined) {
      // Without an error, there is nothing to save before the room is loaded.
      this.#saveTime = this.#retryTime > room.now() ? this.#retryTime : undefined;
      return;
    }
    this.#isSaving = true;
    const isSaved = await this.#call(snapshot, 'onStorageUpdated', (save) =>
      hooks.onStorageUpdated?.(save),
    );
    this.#isSaving = false;
    if (!isSaved) {
      this.#saveTime = this.#retryTime;
      return;
    }
    cursors.saved = snapshot.cursor;
    await this.#write();
    if (!this.#isUnsaved) this.#saveTime = undefined;
    else if (++this.#ownSaves === MOST_OWN_SAVES) this.#reportOwnSaves();
  }

  /** A hook that changes the room is called for ever, because that change is saved, too. */
  #reportOwnSaves(): void {
    const message = `onStorageUpdated was called ${MOST_OWN_SAVES} times in a row only because the room's own code changed the room while it ran. If it does that itself, it is called for ever: let it change nothing.`;
    this.#parts.report(new Error(message));
  }

  async #empty(): Promise<void> {
    const { room, hooks, cursors, settings } = this.#parts;
    this.#updateDues();
    // Somebody has come, or the room was wiped.
    if (this.#emptyingTime === undefined) return;
    if (this.#retryTime > room.now()) {
      this.#emptyingTime = this.#retryTime;
      return;
    }
    if (this.#isUnsaved) {
      const isFlushed = this.#lastSave >= this.#emptyingTime;
      if (!isFlushed) this.#saveTime = room.now();
      // The room's own code has changed it since.
      else this.#emptyingTime = this.#saveTime;
      return;
    }
    const visits = this.#visits;
    const snapshot = await this.#snapshot();
    if (snapshot === undefined) {
      this.#emptyingTime = undefined;
      return;
    }
    if (!isSameCursor(snapshot.cursor, room.cursor) || room.connections().length > 0) return;
    const isDone = await this.#call(snapshot, 'onRoomDeleted', (save) =>
      hooks.onRoomDeleted?.(save),
    );
    if (!isDone) {
      this.#emptyingTime = this.#retryTime;
      return;
    }
    this.#emptyingTime = undefined;
    cursors.saved = snapshot.cursor;
    this.#hasEmptied = visits === this.#visits;
    if (this.#hasEmptied) cursors.emptied = snapshot.cursor;
    if (settings.isEphemeral && (await this.#dispose(snapshot.cursor))) return;
    await this.#write();
  }

  /** Calls a hook. Resolves to false if it failed: then it is called again later (`SAVE-3`). */
  async #call(
    { cursor, content, changes }: RoomSnapshot,
    name: string,
    hook: (save: Save<Connection | Request>) => unknown,
  ): Promise<boolean> {
    const { room, report } = this.#parts;
    const { epoch, version } = cursor;
    const cancel = room.after(SLOW_MILLISECONDS, () => {
      const message = `${name} has not settled for ${SLOW_MILLISECONDS} ms, and the room calls no other hook meanwhile: give its requests a time limit.`;
      report(new Error(message));
    });
    try {
      await hook({
        content,
        version,
        epoch,
        changes: changes && storeChangesOf(changes),
        callers: this.#authors.upTo(cursor),
      });
      this.#authors.saved(cursor);
      this.#failures = 0;
      this.#retryTime = -Infinity;
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    } finally {
      cancel();
    }
  }

  /** Resolves to undefined if there is nothing to save, or the room has to be loaded first. */
  async #snapshot(): Promise<RoomSnapshot | undefined> {
    const { room, cursors } = this.#parts;
    try {
      return await room.snapshot(cursors.saved);
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** Reports an error, and lets the next attempt wait. */
  #fail(error: unknown): void {
    const { room, settings, report } = this.#parts;
    report(error);
    this.#failures += 1;
    this.#retryTime = room.now() + settings.retryPause(this.#failures);
  }

  /** Removes all that an ephemeral room has stored. Resolves to false if it has to stay. */
  async #dispose(cursor: Cursor): Promise<boolean> {
    const { room, cursors, alarm, forgetStored, report } = this.#parts;
    const isWanted = (): boolean =>
      room.connections().length === 0 && isSameCursor(cursor, room.cursor);
    try {
      if (!(await room.dispose(isWanted))) return false;
      cursors.forget();
      this.#authors.clear();
      await Promise.all([forgetStored(), alarm.disarm()]);
    } catch (error) {
      report(error);
    }
    return true;
  }

  async #write(): Promise<void> {
    try {
      await this.#parts.cursors.write();
    } catch (error) {
      // The hook is called again in the next life of the room.
      this.#parts.report(error);
    }
  }
}

function isDue(time: number | undefined, now: number): boolean {
  return time !== undefined && time <= now;
}

function hasStore(cursor: Cursor | undefined): boolean {
  return cursor !== undefined && cursor.version > 0;
}
