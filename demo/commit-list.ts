import type { Client } from './client.ts';
import { findPart } from './find-element.ts';
import { colour } from './person.ts';
import { byteText } from './wire.ts';

const MOST_SHOWN = 40;
const KNOWN_AUTHORS = 200;

/** Lists the commits as they come to a client: their versions, authors and bytes. */
export function listCommits({ socket, events, person }: Client, pane: HTMLElement): void {
  const list = findPart(pane, 'commits', HTMLElement);
  const authors = new Map<number, string>();
  const labels = new Map<number, HTMLElement>();
  let last = 0;

  const add = (versions: string, text: string, bytes: number): HTMLElement => {
    const item = document.createElement('li');
    const [version, author, size] = ['b', 'span', 'i'].map((tag) => document.createElement(tag));
    version?.append(versions);
    author?.append(text);
    size?.append(byteText(bytes));
    item.append(...[version, author, size].filter((part) => part !== undefined));
    list.prepend(item);
    while (list.childElementCount > MOST_SHOWN) list.lastElementChild?.remove();
    return author ?? item;
  };

  const showAuthor = (version: number): void => {
    const name = authors.get(version);
    const label = labels.get(version);
    if (name === undefined || label === undefined) return;
    label.textContent = name === person.name ? 'you' : name;
    colour(label, name);
    labels.delete(version);
  };

  socket.addNewsListener((news) => {
    if (news.type === 'commit') {
      // The room's own code has no name: its author stays "the room".
      const label = add(`#${news.version}`, 'the room', news.bytes);
      labels.set(news.version, label);
      if (news.isOwn) authors.set(news.version, person.name);
      showAuthor(news.version);
    }
    if (news.type === 'catch-up') {
      const count = news.version - last;
      if (last > 0 && count > 0)
        add(`#${news.version}`, count === 1 ? 'caught up' : `caught up on ${count}`, news.bytes);
    }
    if (news.type !== 'round-trip') last = news.version;
  });
  events.addListener('ordered', ({ version, by }) => {
    authors.set(version, by.name);
    if (authors.size > KNOWN_AUTHORS) authors.delete(Math.min(...authors.keys()));
    showAuthor(version);
  });
}
