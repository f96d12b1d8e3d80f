import { getUniqueId, type Store } from 'tinybase';
import { type Person, showPerson } from './person.ts';

/** The list of tasks on the page: shows the `tasks` table of a Store, and edits it. */
export interface TaskList {
  /** Adds a task. Its row id is unique, because `addRow` gives the same id to two Stores. */
  readonly add: (text: string) => void;
}

interface TaskItem {
  readonly element: HTMLLIElement;
  readonly show: () => void;
}

const TABLE_ID = 'tasks';

const createTaskItem = (store: Store, rowId: string): TaskItem => {
  const element = document.createElement('li');

  const done = document.createElement('input');
  done.type = 'checkbox';
  done.ariaLabel = 'Done';

  const text = document.createElement('input');
  text.type = 'text';
  text.ariaLabel = 'Task';

  const remove = document.createElement('button');
  remove.type = 'button';
  remove.textContent = '×';
  remove.ariaLabel = 'Delete';

  const author = document.createElement('span');

  done.addEventListener('change', () => {
    store.setCell(TABLE_ID, rowId, 'done', done.checked);
  });
  text.addEventListener('input', () => {
    store.setCell(TABLE_ID, rowId, 'text', text.value);
  });
  remove.addEventListener('click', () => {
    store.delRow(TABLE_ID, rowId);
  });
  element.append(done, text, author, remove);

  return {
    element,
    show: () => {
      done.checked = store.getCell(TABLE_ID, rowId, 'done') === true;
      element.classList.toggle('done', done.checked);
      const cell = store.getCell(TABLE_ID, rowId, 'text');
      const latestText = typeof cell === 'string' ? cell : '';
      // Setting the same value again would move the caret while somebody types.
      if (text.value !== latestText) {
        text.value = latestText;
      }
      const name = store.getCell(TABLE_ID, rowId, 'author');
      if (typeof name === 'string') showPerson(author, { name });
    },
  };
};

/**
 * Keeps a list element, and the hint for an empty list, equal to the `tasks` table. New tasks get the name of the person.
 */
export const createTaskList = (
  store: Store,
  listElement: HTMLUListElement,
  emptyHintElement: HTMLElement,
  person: Person,
): TaskList => {
  const items = new Map<string, TaskItem>();

  const createdAt = (rowId: string): number => Number(store.getCell(TABLE_ID, rowId, 'createdAt'));

  const byAge = (rowId1: string, rowId2: string): number =>
    createdAt(rowId1) - createdAt(rowId2) || (rowId1 < rowId2 ? -1 : 1);

  const show = (): void => {
    const rowIds = store.getRowIds(TABLE_ID).sort(byAge);
    const present = new Set(rowIds);
    for (const [rowId, item] of items) {
      if (!present.has(rowId)) {
        item.element.remove();
        items.delete(rowId);
      }
    }
    rowIds.forEach((rowId, position) => {
      const item = items.get(rowId) ?? createTaskItem(store, rowId);
      items.set(rowId, item);
      item.show();
      // Moving an element that is already in place would take the focus from it.
      if (listElement.children[position] !== item.element) {
        listElement.insertBefore(item.element, listElement.children[position] ?? null);
      }
    });
    emptyHintElement.hidden = rowIds.length > 0;
  };

  store.addTableListener(TABLE_ID, show);
  show();

  return {
    add: (text) => {
      const task = { text, done: false, author: person.name, createdAt: Date.now() };
      // Not `crypto.randomUUID`: pages have it only on `localhost` and with https.
      store.setRow(TABLE_ID, getUniqueId(), task);
    },
  };
};
