// socket.io over WebSocket alone, its own broadcast: `node socketio.mjs PORT`, in a folder with the npm package.
import { createRequire } from 'node:module';
import { createServer } from 'node:http';

const { Server } = createRequire(`${process.cwd()}/`)('socket.io');
const http = createServer();
// Pings are off in every other server here; an interval beyond the run comes to the same.
const room = new Server(http, { transports: ['websocket'], serveClient: false, pingInterval: 3_600_000 });
room.on('connection', (socket) => socket.on('publish', (message) => room.emit('note', message)));
http.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
