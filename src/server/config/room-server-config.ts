import type { AllowedOrigins } from '../http/cors.ts';
import { LIFECYCLE_OPTIONS, type LifecycleOptions } from '../features/lifecycle/lifecycle-hooks.ts';
import type { RoomLimits } from '../room/room-options.ts';

/** The configuration of a room: `config` of `RoomServer`. An option that is left out has its default. */
export interface RoomServerConfig extends LifecycleOptions {
  /** The end of the path of the content. `'/store'` by default; give clients the same. */
  storePath?: string;
  /** The beginning of every frame. `''` by default; give clients the same. */
  messagePrefix?: string;
  /** The beginning of every key in storage. `''` by default. */
  storagePrefix?: string;
  /**
   * The headers of every answer over HTTP. By default other origins may do everything: `Access-Control-Allow-Origin`,
   * `-Methods` and `-Headers` are `*`. The room always adds the header that exposes `ETag`.
   */
  responseHeaders?: HeadersInit;
  /**
   * The origins whose pages may use cookies or other credentials over HTTP: a list such as `['https://app.example']`, or
   * a function that decides. It replaces the headers of `responseHeaders` that allow origins, methods and headers. If
   * left out, credentials are not allowed. It decides who may read answers, not who may connect.
   */
  allowedOrigins?: AllowedOrigins;
  /** The time that the hooks of one push may take before it is refused. 10,000 by default. */
  hookTimeoutMilliseconds?: number;
  /** The limits of what the room takes. To change them later, set another object. */
  limits?: Partial<RoomLimits>;
}

/** Every option; the compiler complains if one is missing. */
export const OPTIONS: Readonly<Record<keyof RoomServerConfig, true>> = {
  storePath: true,
  messagePrefix: true,
  storagePrefix: true,
  responseHeaders: true,
  allowedOrigins: true,
  hookTimeoutMilliseconds: true,
  limits: true,
  ...LIFECYCLE_OPTIONS,
};
