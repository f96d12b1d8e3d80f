/** The sizes that control a room's storage. They are in characters or bytes, and as rough as the estimates of content. */
export interface StorageSizes {
  /** A page of the snapshot of this size gets no more rows. 48 KiB. */
  readonly page: number;
  /** The part that a checkpoint encodes and writes before other work runs. 96 KiB. */
  readonly slice: number;
  /** The smallest log that is worth a checkpoint. 256 KiB. */
  readonly smallestCheckpoint: number;
  /** A log up to this size is kept for catching up, whatever the size of the content. 64 KiB. */
  readonly smallestRetention: number;
}

const KIBIBYTE = 1024;

/** The sizes of every room. Only tests use others, to give small rooms many pages. */
export const DEFAULT_STORAGE_SIZES: StorageSizes = {
  page: 48 * KIBIBYTE,
  slice: 96 * KIBIBYTE,
  smallestCheckpoint: 256 * KIBIBYTE,
  smallestRetention: 64 * KIBIBYTE,
};
