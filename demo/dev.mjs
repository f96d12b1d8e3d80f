// Runs the demo on port 1999, or on that of the option --port or the variable PORT. If it is taken, the next free one is used.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const given = process.argv.slice(2);
const { values } = parseArgs({
  args: given,
  options: { port: { type: 'string', short: 'p' } },
  strict: false,
});
const wanted = Number(values.port ?? process.env.PORT ?? 1999);
const MOST_TRIES = 100;

const isFree = (port, host) =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, host, () => {
      probe.close(() => resolve(true));
    });
  });

let port = wanted;
while (!((await isFree(port, '0.0.0.0')) && (await isFree(port, '127.0.0.1')))) {
  port += 1;
  if (port > wanted + MOST_TRIES) throw new Error(`The ports ${wanted} to ${port - 1} are taken.`);
}
const taken = port === wanted ? '' : `Port ${wanted} is taken. `;
console.log(`${taken}The demo is at http://localhost:${port}`);

const command = fileURLToPath(new URL('../node_modules/partykit/dist/bin.mjs', import.meta.url));
// Without the option, partykit asks the internet for an example of a request.
const options = ['--port', String(port), '--disable-request-cf-fetch'];
// The last port counts.
const server = spawn(process.execPath, [command, 'dev', ...given, ...options], {
  stdio: 'inherit',
});
process.once('SIGTERM', () => {
  server.kill();
});
// Ctrl+C reaches the server as well: it ends first.
process.on('SIGINT', () => undefined);
server.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
