import type { PartyKitPersister } from '../client/index.ts';
import { TinyBasePartyKitError } from '../protocol/errors.ts';

const ENDED_MESSAGE =
  'The component ended, or changed its room, and some of its edits were refused, or not confirmed in time: the cause lists them.';

/** Reports what the listeners of a component would hear, which end with it. Returns a function that ends that. */
export function reportRefusals(
  persister: PartyKitPersister,
  report: (error: TinyBasePartyKitError) => void,
): () => void {
  const listenerId = persister.addRefusalListener((_persister, cause) =>
    report(new TinyBasePartyKitError('destroyed', ENDED_MESSAGE, { cause })),
  );
  return () => void persister.delListener(listenerId);
}
