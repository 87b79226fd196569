// uWebSockets.js, a C++ server with bindings for Node: `node uws.mjs PORT`, in a folder with the npm package.
import { createRequire } from 'node:module';

const uws = createRequire(`${process.cwd()}/`)('@trufflesuite/uws-js-unofficial');
const app = uws.App();
app.ws('/publish', { compression: 0, message: (socket, message) => app.publish('room', message, true) });
app.ws('/', { compression: 0, idleTimeout: 0, maxBackpressure: 1 << 20, open: (socket) => socket.subscribe('room') });
app.listen('127.0.0.1', Number(process.argv[2]), (token) => {
  if (!token) process.exit(1);
});
