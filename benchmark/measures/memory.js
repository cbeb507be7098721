'use strict';

const { once } = require('node:events');
const net = require('node:net');
const { ask } = require('../child');
const { LIBRARIES } = require('../libraries');

// Loaded code, compiled functions and open connections are there before anything is counted.
const WARM_UP = 1000;
const PATIENCE = 10 * 60 * 1000;

/** A server that accepts and never says a word, so that everything stays queued. */
async function startMute() {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: server.address().port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What a message costs in memory while it is queued. */
async function memory(one, scale) {
  const mute = await startMute();
  const messages = Math.max(1, Math.round(one.messages * scale));
  const job = {
    workload: one.workload,
    warmUp: WARM_UP,
    messages,
    transport: {
      host: '127.0.0.1',
      port: mute.port,
      maxConnections: one.connections,
      connectionTimeout: PATIENCE,
      greetingTimeout: PATIENCE,
    },
  };
  return {
    contenders: Object.keys(LIBRARIES),
    facts: { messages, warmUp: WARM_UP },
    run: (library) => ask('queue.js', { ...job, library }, ['--expose-gc']),
    stop: () => mute.stop(),
  };
}

module.exports = { memory };
