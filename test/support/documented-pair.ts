import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Party, startParty } from './party.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(REPOSITORY, 'node_modules/.cache');

/** The blocks of a document that make an app, as somebody copies them. */
export interface DocumentedPair {
  /** The document, relative to the repository. */
  readonly document: string;
  /** The names of the blocks, by their first lines. */
  readonly room: string;
  readonly page: string;
  /** What `public/index.html` has before the script. */
  readonly body?: string;
  readonly variables?: Readonly<Record<string, string>>;
  /** Makes changes that the document asks its readers for. */
  readonly edit?: (text: string) => string;
}

/** Returns a block of a document, with the sources in place of the package. */
function documentedBlock(document: string, name: string): string {
  const text = readFileSync(join(REPOSITORY, document), 'utf8');
  const [, block] = new RegExp(`^\`\`\`tsx?\\n(// ${name}\\n.*?)^\`\`\`$`, 'ms').exec(text) ?? [];
  if (block === undefined) throw new Error(`${document} has no block ${name}.`);
  return block
    .replaceAll(
      /'tinybase-partykit\/(client|server)\/(auth|admin|events|presence|undo)'/g,
      `'${REPOSITORY}src/$1/features/$2/index.ts'`,
    )
    .replaceAll(/'tinybase-partykit\/([\w/]+)'/g, `'${REPOSITORY}src/$1/index.ts'`);
}

/** Starts `partykit dev` with the room and the page of a document, as README.md describes it. Its `stop` removes the files. */
export async function startDocumentedPair(app: DocumentedPair): Promise<Party> {
  const { document, room, page, body = '', variables = {}, edit = (text) => text } = app;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'documented-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    for (const name of [room, page])
      writeFileSync(join(folder, name), edit(documentedBlock(document, name)));
    mkdirSync(join(folder, 'public'));
    const script = `<script type="module" src="/dist/${page.replace(/ts$/, 'js')}"></script>`;
    writeFileSync(
      join(folder, 'public/index.html'),
      `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>${body}</body>${script}`,
    );
    const config = join(folder, 'partykit.json');
    const serve = { path: join(folder, 'public'), build: join(folder, page) };
    writeFileSync(
      config,
      JSON.stringify({ name: 'documented', compatibilityDate: '2024-07-18', serve }),
    );
    const party = await startParty({
      entry: relative(REPOSITORY, join(folder, room)),
      config: relative(REPOSITORY, config),
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
