import { defineConfig } from 'vite';

/** The port of `npm run room`. */
const roomPort = process.env['ROOM_PORT'] ?? '1999';

// The page reaches its rooms at its own address, as it does when one server has both.
export default defineConfig({
  server: { proxy: { '/parties': { target: `http://127.0.0.1:${roomPort}`, ws: true } } },
});
