'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { findProgram } = require('../../scripts/support/debian');
const { freePort, whenListening } = require('./port');

const BACKLOG = '1000';
const LAST_COUNT = /mesg=(\d+)(?!.*mesg=)/s;
const TAIL = 256;

/** Postfix's sink, a C program. It counts messages, not their octets. */
async function startSmtpSink() {
  const port = await freePort();
  // It refuses to run as root, and asks for somebody else to be.
  const user = process.getuid() === 0 ? ['-u', 'nobody'] : [];
  const program = findProgram('smtp-sink');
  const child = spawn(program, [...user, '-c', `127.0.0.1:${port}`, BACKLOG], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('latin1').on('data', (text) => (printed = (printed + text).slice(-TAIL)));
  await whenListening(port);
  return {
    transport: { host: '127.0.0.1', port, ignoreTLS: true },
    counters: async () => ({ messages: Number(LAST_COUNT.exec(printed)?.[1] ?? 0) }),
    async stop() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

module.exports = { startSmtpSink };
