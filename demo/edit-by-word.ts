const PAUSE_MILLISECONDS = 600;

/** A field that saves what is written in it. */
export interface WordField {
  /** Shows a text of the Store, unless the field has one that is not saved yet. */
  show(text: string): void;
  /** Saves now. */
  flush(): void;
}

/**
 * Saves a field after each word, and after a pause: an edit for each key would be ten times as many transactions, and nobody
 * needs them.
 */
export function editByWord(field: HTMLTextAreaElement, save: (text: string) => void): WordField {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    save(field.value);
  };
  field.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(flush, PAUSE_MILLISECONDS);
    const written = field.value.slice(0, field.selectionStart);
    if (/\s$/.test(written)) flush();
  });
  field.addEventListener('blur', flush);
  // The page may be about to go.
  addEventListener('pagehide', flush);
  return {
    flush,
    show: (text) => {
      // Setting the same text again would move the caret.
      if (timer !== undefined || field.value === text) return;
      const { selectionStart, selectionEnd } = field;
      field.value = text;
      if (document.activeElement === field) field.setSelectionRange(selectionStart, selectionEnd);
    },
  };
}
