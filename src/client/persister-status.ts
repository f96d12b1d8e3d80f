import type { Status } from 'tinybase/persisters';

/** Numbers of TinyBase's `Status`, an ambient const enum that cannot be named here. */
const IDLE = 0;
const LOADING = 1;
const SAVING = 2;

/**
 * A persister's status, as TinyBase has it: loading while a load runs or remote changes are applied; saving while a save
 * runs. It is also saving as long as the room has not confirmed what was sent.
 */
export class PersisterStatus {
  readonly #onChange: (status: Status) => void;
  #status: Status = IDLE;
  #loads = 0;
  #saves = 0;
  #isApplying = false;
  #isSending = false;

  /** `onChange` may not throw. */
  constructor(onChange: (status: Status) => void) {
    this.#onChange = onChange;
  }

  get status(): Status {
    return this.#status;
  }

  /** A load, until `action` settles. */
  async whileLoading(action: () => Promise<void>): Promise<void> {
    this.#loads++;
    this.#update();
    try {
      await action();
    } finally {
      this.#loads--;
      this.#update();
    }
  }

  /** A save, until `action` settles. */
  async whileSaving(action: () => Promise<void>): Promise<void> {
    this.#saves++;
    this.#update();
    try {
      await action();
    } finally {
      this.#saves--;
      this.#update();
    }
  }

  /** Remote changes are applied to the Store, or have been. */
  applying(isApplying: boolean): void {
    this.#isApplying = isApplying;
    this.#update();
  }

  /** Edits are on their way to the room, or none are. */
  sending(isSending: boolean): void {
    this.#isSending = isSending;
    this.#update();
  }

  #update(): void {
    const isLoading = this.#loads > 0 || this.#isApplying;
    const isSaving = this.#saves > 0 || this.#isSending;
    const status: Status = isLoading ? LOADING : isSaving ? SAVING : IDLE;
    if (status === this.#status) return;
    this.#status = status;
    this.#onChange(status);
  }
}
