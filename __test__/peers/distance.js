'use strict';

/** A server further away: a relay that holds everything back for a moment in both directions. */

const net = require('node:net');

/** One way, in milliseconds. */
const DELAY = 2;

/** @returns {Promise<{ port: number, stop(): Promise<void> }>} */
async function startDistance(target) {
  const sockets = new Set();
  const relay = net.createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = net.connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    join(near, far);
    join(far, near);
    for (const socket of [near, far]) sockets.add(socket);
  });
  await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => relay.close(resolve));
  };
  return { port: relay.address().port, stop };
}

function join(from, to) {
  from.on('data', (bytes) => setTimeout(() => to.write(bytes), DELAY));
  from.on('end', () => setTimeout(() => to.end(), DELAY));
  // What was read before is still on its way.
  from.on('error', () => setTimeout(() => to.destroy(), DELAY + 1));
}

module.exports = { startDistance };
