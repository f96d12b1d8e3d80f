/** How a room divides what it stores. In characters or bytes, as nearly as the estimates of content sizes are. */
export interface StorageSizes {
  /** A page of the snapshot takes no more rows from this size on. 48 KiB. */
  readonly page: number;
  /** What a checkpoint encodes and writes at a time, before others have their turn. 96 KiB. */
  readonly slice: number;
  /** A log is worth folding into a snapshot from this size on. 256 KiB. */
  readonly smallestCheckpoint: number;
  /** A log up to this size is kept for catching up, whatever the size of the content. 64 KiB. */
  readonly smallestRetention: number;
}

const KIBIBYTE = 1024;

/** What a room has by default. Others are for tests, where small rooms have to have many pages. */
export const DEFAULT_STORAGE_SIZES: StorageSizes = {
  page: 48 * KIBIBYTE,
  slice: 96 * KIBIBYTE,
  smallestCheckpoint: 256 * KIBIBYTE,
  smallestRetention: 64 * KIBIBYTE,
};
