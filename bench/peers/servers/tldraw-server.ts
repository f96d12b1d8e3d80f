import { createServer } from 'node:http';

import { TLSocketRoom } from '@tldraw/sync-core';
import { WebSocketServer } from 'ws';

import { schema, type RowRecord } from '../tldraw-schema.ts';

const rooms = new Map<string, TLSocketRoom<RowRecord>>();
const http = createServer((_request, response) => response.end('ready'));
new WebSocketServer({ server: http }).on('connection', (socket, request) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  let room = rooms.get(pathname);
  if (room === undefined) {
    room = new TLSocketRoom<RowRecord>({
      schema,
      initialSnapshot: { documents: [], clock: 0, schema: schema.serialize() },
    });
    rooms.set(pathname, room);
  }
  room.handleSocketConnect({
    sessionId: searchParams.get('session') ?? '',
    socket: socket as never,
  });
});
http.listen(Number(process.argv[2]), '127.0.0.1');
