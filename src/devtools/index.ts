/**
 * A panel for developers, beside TinyBase's Inspector: what a persister does.
 *
 * @module
 */
export { createDevtools } from './create-devtools.ts';
export type {
  Devtools,
  DevtoolsCorner,
  DevtoolsOptions,
  WatchedPersister,
} from './devtools-options.ts';
