/**
 * Finds an element of the page that must be there.
 *
 * Throws a `TypeError` if the page has no such element, or if it is of another kind.
 */
export const pageElement = <ElementKind extends HTMLElement>(
  id: string,
  kind: new () => ElementKind,
): ElementKind => {
  const element = document.getElementById(id);
  if (element instanceof kind) {
    return element;
  }
  throw new TypeError(`The page has no ${kind.name} with the id "${id}".`);
};
