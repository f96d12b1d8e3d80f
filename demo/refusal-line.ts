import type { PartyKitPersister, Refusal } from '../src/client/index.ts';

const SHOWN_MILLISECONDS = 8_000;

/** Shows the last refusal of the room for a while. */
export const showRefusals = (persister: PartyKitPersister, element: HTMLElement): void => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  persister.addRefusalListener((_persister, refusals) => {
    element.textContent = refusals.map(refusalSentence).join(' ');
    element.hidden = false;
    clearTimeout(timer);
    timer = setTimeout(() => {
      element.hidden = true;
    }, SHOWN_MILLISECONDS);
  });
};

function refusalSentence(refusal: Refusal): string {
  if (refusal.type === 'row' && refusal.reason === 'hook')
    return 'The room refused to delete that task: tick it first.';
  if (refusal.reason === 'access') return 'You may only read this list.';
  return `The room refused an edit (${refusal.type}, ${refusal.reason}).`;
}
