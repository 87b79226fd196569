// The `ws` package of npm: `node ws.mjs PORT`, in a folder with the package.
import { createRequire } from 'node:module';

const { WebSocketServer } = createRequire(`${process.cwd()}/`)('ws');
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), perMessageDeflate: false, backlog: 4096 });
const viewers = new Set();
server.on('connection', (socket, request) => {
  if (request.url === '/publish') {
    socket.on('message', (message) => {
      for (const viewer of viewers) viewer.send(message, { binary: true });
    });
    return;
  }
  viewers.add(socket);
  socket.on('close', () => viewers.delete(socket));
});
