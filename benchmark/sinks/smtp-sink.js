'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { findProgram } = require('../../scripts/support/debian');
const { freePort, whenListening } = require('./port');
const { octetsRead } = require('../usage');

const BACKLOG = '1000';
const LAST_COUNT = /mesg=(\d+)(?!.*mesg=)/s;
const TAIL = 256;

/** The end of a file, as text. */
function tailOf(descriptor) {
  const { size } = fs.fstatSync(descriptor);
  const buffer = Buffer.alloc(Math.min(TAIL, size));
  fs.readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
  return buffer.toString('latin1');
}

/**
 * Postfix's sink, a C program. It counts messages; the octets are those it has read, commands
 * included, as the kernel counts them.
 *
 * It prints its count after every message. That goes to a file: through a pipe each message would
 * wake this process, and on two cores take a third of the sink's rate away.
 */
async function startSmtpSink() {
  const port = await freePort();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-sink-'));
  const counts = fs.openSync(path.join(folder, 'counts'), 'w+');
  // It refuses to run as root, and asks for somebody else to be.
  const user = process.getuid() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(findProgram('smtp-sink'), [...user, '-c', `127.0.0.1:${port}`, BACKLOG], {
    stdio: ['ignore', counts, 'inherit'],
  });
  const exit = once(child, 'exit');
  await whenListening(port);
  return {
    pid: child.pid,
    transport: { host: '127.0.0.1', port, ignoreTLS: true },
    counters: async () => ({
      messages: Number(LAST_COUNT.exec(tailOf(counts))?.[1] ?? 0),
      bytes: octetsRead(child.pid),
    }),
    async stop() {
      child.kill();
      await exit;
      fs.closeSync(counts);
      fs.rmSync(folder, { recursive: true });
    },
  };
}

module.exports = { startSmtpSink };
