import type { CheckpointIds, Id } from 'tinybase';

import type { Step } from './step.ts';

/** The steps that can be undone and those that can be redone, as the checkpoints between them. */
export class Steps {
  /** The steps that can be undone, oldest first. */
  readonly #backward: Step[] = [];
  /** The steps that can be redone, the next one first. */
  readonly #forward: Step[] = [];
  /** The checkpoint before the oldest step. */
  #first: { readonly id: Id; label: string } = { id: '0', label: '' };

  get #all(): readonly Step[] {
    return [...this.#backward, ...this.#forward];
  }

  get lastBackward(): Step | undefined {
    return this.#backward.at(-1);
  }

  get firstForward(): Step | undefined {
    return this.#forward[0];
  }

  /** The ids of the checkpoints, oldest first: the past, the present one, and those that can be redone. */
  ids(): CheckpointIds {
    const [past, future] = [this.#backward, this.#forward].map((steps) =>
      steps.filter(({ hasEffect }) => hasEffect).map(({ id }) => id),
    );
    const ids = [this.#first.id, ...(past ?? [])];
    return [ids.slice(0, -1), ids.at(-1), future ?? []];
  }

  /** Returns a checkpoint, so that its label can be read and changed. */
  checkpoint(sought: Id): { readonly id: Id; label: string } | undefined {
    return this.checkpoints().find(({ id }) => id === sought);
  }

  checkpoints(): readonly { readonly id: Id; label: string }[] {
    return [this.#first, ...this.#all.filter(({ hasEffect }) => hasEffect)];
  }

  has(step: Step): boolean {
    return this.#all.includes(step);
  }

  addBackward(step: Step): void {
    this.#backward.push(step);
  }

  addForward(step: Step): void {
    this.#forward.unshift(step);
  }

  remove(step: Step): void {
    for (const steps of [this.#backward, this.#forward]) {
      const index = steps.indexOf(step);
      if (index >= 0) steps.splice(index, 1);
    }
  }

  /** Removes the steps without writes. */
  removeEmpty(): void {
    for (const step of this.#all) if (step.isEmpty) this.remove(step);
  }

  /** Removes and returns the steps that can be redone. */
  takeForward(): readonly Step[] {
    return this.#forward.splice(0);
  }

  /** Removes and returns the oldest steps, and then the last ones to redo, until the rest is within the limits. */
  takeOverLimits(most: number, mostCharacters: number): readonly Step[] {
    const taken: Step[] = [];
    let characters = 0;
    for (const { size } of this.#all) characters += size;
    while (this.#all.length > most || characters > mostCharacters) {
      const oldest = this.#backward.shift();
      if (oldest !== undefined) this.#first = { id: oldest.id, label: oldest.label };
      const step = oldest ?? this.#forward.pop();
      if (step === undefined) break;
      characters -= step.size;
      taken.push(step);
    }
    return taken;
  }

  clear(): void {
    this.#backward.length = 0;
    this.#forward.length = 0;
    this.#first = { id: '0', label: '' };
  }
}
