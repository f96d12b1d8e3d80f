import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { blockWith, makeDocumentedApp } from './documented-app.ts';
import { type Party, startParty } from './party.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
/** Within the repository: `partykit dev` runs no room from a folder above its own. */
const CACHE = join(REPOSITORY, 'node_modules/.cache');

/** The blocks of a document that make an app, as somebody copies them. */
export interface DocumentedPair {
  /** The document, relative to the repository. */
  readonly document: string;
  /** The names of the blocks, by their first lines. */
  readonly room: string;
  readonly page: string;
  readonly variables?: Readonly<Record<string, string>>;
  /** Makes changes that the document asks its readers for. */
  readonly edit?: (text: string) => string;
}

/** Starts `partykit dev` with the room and the page of a document, as README.md describes it. Its `stop` removes the files. */
export async function startDocumentedPair(app: DocumentedPair): Promise<Party> {
  const { document, room, page, variables = {}, edit = (text) => text } = app;
  const { folder, write, remove } = makeDocumentedApp(CACHE);
  try {
    for (const name of [room, page]) write(name, edit(blockWith(document, `// ${name}\n`)));
    const script = `<script type="module" src="/dist/${page.replace(/ts$/, 'js')}"></script>`;
    write(
      'public/index.html',
      `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body></body>${script}`,
    );
    const serve = { path: join(folder, 'public'), build: join(folder, page) };
    write(
      'partykit.json',
      JSON.stringify({ name: 'documented', compatibilityDate: '2024-07-18', serve }),
    );
    const party = await startParty({
      entry: relative(REPOSITORY, join(folder, room)),
      config: relative(REPOSITORY, join(folder, 'partykit.json')),
      variables,
    });
    const stop = async (): Promise<void> => {
      await party.stop();
      remove();
    };
    return { ...party, stop };
  } catch (error) {
    remove();
    throw error;
  }
}
