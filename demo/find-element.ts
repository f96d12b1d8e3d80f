/**
 * Finds the part of an element that `data-part` names. Throws a `TypeError` if there is none of that kind.
 */
export function findPart<Kind extends Element>(
  root: ParentNode,
  part: string,
  kind: new () => Kind,
): Kind {
  const element = root.querySelector(`[data-part="${part}"]`);
  if (element instanceof kind) return element;
  throw new TypeError(`The page has no ${kind.name} with data-part="${part}".`);
}

/** Makes a copy of the one element in a `<template>` of the page. */
export function copyTemplate(id: string): HTMLElement {
  const template = document.getElementById(id);
  const element = template instanceof HTMLTemplateElement && template.content.firstElementChild;
  const copy = element && document.importNode(element, true);
  if (copy instanceof HTMLElement) return copy;
  throw new TypeError(`The page has no <template> with the id "${id}".`);
}
