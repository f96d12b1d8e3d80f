import type { Page } from 'playwright-core';

/** A text of a page, and the contrast between its colour and what is behind it: from 1 to 21. */
export interface TextContrast {
  readonly text: string;
  readonly contrast: number;
}

/** Returns the contrast of each text that is shown, as WCAG 2.2 defines it. Backgrounds have to be plain colours. */
export async function contrastsOf(page: Page): Promise<TextContrast[]> {
  const texts = await page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', {
      willReadFrequently: true,
    });
    if (canvas === null) throw new Error('The browser has no canvas.');
    const partsOf = (colour: string): { rgb: number[]; alpha: number } => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [red = 0, green = 0, blue = 0, alpha = 0] = canvas.getImageData(0, 0, 1, 1).data;
      return { rgb: [red, green, blue].map((part) => part / 255), alpha };
    };
    const ancestors = (element: Element | null): Element[] =>
      element === null ? [] : [element, ...ancestors(element.parentElement)];
    return [...document.body.querySelectorAll('*')].flatMap((element) => {
      const isField = element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;
      const isShown =
        (isField ||
          [...element.childNodes].some(({ nodeType, data }: ChildNode & { data?: string }) =>
            nodeType === Node.TEXT_NODE ? data?.trim() : false,
          )) &&
        element.checkVisibility();
      // What cannot be used, and what only screen readers have, needs none.
      if (!isShown || element.closest('[aria-disabled=true], .for-readers')) return [];
      const line = ancestors(element);
      const opacity = line.reduce((all, each) => all * Number(getComputedStyle(each).opacity), 1);
      const back =
        line
          .map((each) => partsOf(getComputedStyle(each).backgroundColor))
          .find(({ alpha }) => alpha > 0)?.rgb ?? [];
      const front = partsOf(getComputedStyle(element).color).rgb.map(
        (part, index) => part * opacity + (back[index] ?? 0) * (1 - opacity),
      );
      return [{ text: isField ? element.value : element.textContent.trim(), front, back }];
    });
  });
  return texts.map(({ text, front, back }) => {
    const [dark = 0, light = 0] = [luminance(front), luminance(back)].sort((a, b) => a - b);
    return { text, contrast: (light + 0.05) / (dark + 0.05) };
  });
}

function luminance(rgb: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = rgb.map((part) =>
    part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
