/** The one file that knows the browser's own view of the network. */

type Target = Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>;

/** Events of a window or worker (HTML, sections 8.10.1.4 and 7.4.6): the network is lost or back, or a page is shown again. */
const WINDOW_EVENTS: readonly string[] = ['offline', 'online', 'pageshow'];

/** Events of a document: a page is visible again, or was frozen and runs again (Page Visibility, Page Lifecycle). */
const DOCUMENT_EVENTS: readonly string[] = ['visibilitychange', 'resume'];

/**
 * Calls back when the browser loses its network or gets one, and when its page may have slept. Returns a function that ends
 * it. Where the platform has no such events, it never calls back.
 */
export function watchNetwork(onChange: () => void): () => void {
  const page: Target & { readonly document?: Target & { readonly hidden?: boolean } } = globalThis;
  const { document } = page;
  const wake = (): void => {
    if (document?.hidden !== true) onChange();
  };
  const listeners = [
    ...WINDOW_EVENTS.map((event) => ({ target: page, event, listen: onChange })),
    ...DOCUMENT_EVENTS.map((event) => ({ target: document, event, listen: wake })),
  ];
  for (const { target, event, listen } of listeners) target?.addEventListener?.(event, listen);
  return () => {
    for (const { target, event, listen } of listeners) target?.removeEventListener?.(event, listen);
  };
}

/** Returns false if the browser knows that it has no network (HTML, section 8.10.1.4). */
export function isOnline(): boolean {
  const { navigator }: { readonly navigator?: { readonly onLine?: boolean } } = globalThis;
  return navigator?.onLine ?? true;
}
