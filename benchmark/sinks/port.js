'use strict';

const { once } = require('node:events');
const net = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');

const ATTEMPTS = 200;
const PAUSE = 25;

/**
 * A port that nobody uses. Postfix's tools share a port that is taken instead of failing, and two
 * of them would then split the connections; so each run gets its own.
 */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves as soon as somebody accepts connections there. */
async function whenListening(port) {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const socket = net.connect(port, '127.0.0.1');
    const open = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await sleep(PAUSE);
  }
  throw new Error(`nobody listens on port ${port}`);
}

module.exports = { freePort, whenListening };
