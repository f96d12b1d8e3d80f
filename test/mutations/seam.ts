import type { SourceMutation } from './source-mutation.ts';

const ACCESS = 'server/room/feature-access.ts';
const ARRIVALS = 'server/room/arrivals.ts';

/** The mutations of SEAM that no history can show. */
export const SEAM_MUTATIONS: readonly SourceMutation[] = [
  {
    title: '[SEAM-1] the frames of features count for no flood',
    file: ARRIVALS,
    text: 'const isAsked = peer.unread.isAnswer(text);',
    replacement:
      'const isAsked = peer.unread.isAnswer(text) || features.frameOf(data) !== undefined;',
  },
  {
    title: '[SEAM-1] an ordered feature begins at once',
    file: ARRIVALS,
    text: 'if (isOrdered) return this.#dispatcher.takeOrdered(peer, frame);',
    replacement: '',
  },
  {
    title: '[SEAM-3] a feature sends at once',
    file: ACCESS,
    text: 'state.durability.defer(safe);',
    replacement: 'safe.onReleased();',
  },
  {
    title: '[SEAM-4] what a feature attaches replaces what another one has attached',
    file: 'server/hosts/attachment-slots.ts',
    text: 'this.#slots = value === null ? rest : { ...rest, [slot]: value };',
    replacement: 'this.#slots = value === null ? rest : { [slot]: value };',
  },
  {
    title: '[SEAM-5] a room notes when connections were heard, though nobody asks',
    file: ARRIVALS,
    text: 'if (features.needsHeardTimes) peer.heard.keep();',
    replacement: 'peer.heard.keep();',
  },
];
