/** What the app has asked for. */
export class Wishes {
  /** What others do is to be shown. */
  isFollowing = false;
  /** Edits are to be sent. */
  isSaving = false;
  /** The content is to be shown once, whatever is followed. */
  isLoadingOnce = false;
  /** What is here is to be given once, whatever is saved, if the room has nothing. */
  isSavingOnce = false;

  /** True if there is any. */
  get isAny(): boolean {
    return this.isFollowing || this.isSaving || this.isLoadingOnce || this.isSavingOnce;
  }

  /** True if content that comes is to be shown. */
  get wantsContent(): boolean {
    return this.isFollowing || this.isLoadingOnce;
  }

  /** True if a room that has nothing is to be given what is here. */
  get givesSeed(): boolean {
    return this.isSaving || this.isSavingOnce;
  }

  /** What was asked for once was done, or tried. */
  endOnce(): void {
    this.isLoadingOnce = this.isSavingOnce = false;
  }

  /** Nothing is asked for any more. */
  end(): void {
    this.endOnce();
    this.isFollowing = this.isSaving = false;
  }
}
