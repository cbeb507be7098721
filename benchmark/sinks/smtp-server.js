'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');

const CERTIFICATE = path.join(__dirname, '..', '..', 'demo', 'certs', 'localhost.crt');

/** The npm package `smtp-server`, as many test suites use it. */
async function startSmtpServer() {
  const child = fork(__filename, ['serve']);
  const [{ port }] = await once(child, 'message');
  return {
    pid: child.pid,
    transport: { host: '127.0.0.1', port, ignoreTLS: true },
    async counters() {
      child.send('counters');
      return (await once(child, 'message'))[0];
    },
    async stop() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

function serve() {
  const { SMTPServer } = require('smtp-server');
  const counters = { messages: 0, bytes: 0 };
  const server = new SMTPServer({
    // Without a certificate of its own it warns about its built-in one.
    cert: fs.readFileSync(CERTIFICATE),
    key: fs.readFileSync(CERTIFICATE.replace(/crt$/, 'key')),
    authOptional: true,
    disableReverseLookup: true,
    onData(stream, _session, callback) {
      stream.on('data', (chunk) => (counters.bytes += chunk.length));
      stream.on('end', () => {
        counters.messages++;
        callback();
      });
    },
  });
  server.on('error', () => {});
  process.on('message', () => process.send(counters));
  process.on('disconnect', () => process.exit());
  server.listen(0, '127.0.0.1', () => process.send({ port: server.server.address().port }));
}

if (require.main === module && process.argv[2] === 'serve') serve();

module.exports = { startSmtpServer };
