'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');

/**
 * Starts the demo's server in a child process.
 *
 * @returns {Promise<{ options: object, report: () => Promise<object>, stop: () => void }>}
 *   transport options that reach it, and what it has counted
 */
async function startServer() {
  const child = fork(path.join(__dirname, 'server.js'));
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the server ended with code ${code}`);
  });
  // Only looked at while a message from the server is awaited.
  ended.catch(() => {});
  const nextMessage = () => Promise.race([once(child, 'message').then(([message]) => message), ended]);
  const { port } = await nextMessage();
  return {
    options: {
      host: '127.0.0.1',
      port,
      requireTLS: true,
      auth: { user: 'newsletter', pass: 'demo' },
      tls: { servername: 'localhost', ca: fs.readFileSync(path.join(__dirname, 'certs', 'localhost.crt')) },
    },
    async report() {
      child.send('report');
      return (await nextMessage()).report;
    },
    stop: () => child.disconnect(),
  };
}

module.exports = { startServer };
