import { defineConfig } from 'vite';

/** The port of `npm run room`. */
const roomPort = process.env['ROOM_PORT'] ?? '1999';
const room = `http://127.0.0.1:${roomPort}`;

// The page reaches its rooms at its own address, as it does when one server has both. `/api` is for routes of `onFetch`, such as one for
// tokens: Vite would answer with the page.
export default defineConfig({
  server: { proxy: { '/parties': { target: room, ws: true }, '/api': room } },
});
