'use strict';

/** What tests of the pool share: a transporter on a scripted server, and both gone at the end. */

const { startServer } = require('./servers');
const postpool = require('../..');

const MESSAGE = { from: 'sender@example.com', to: 'recipient@example.com', subject: 'hello', text: 'Hello.' };

const open = [];

/** A server with this script and a transporter to it, closed after the test. */
async function start(script, options, defaults) {
  const server = await startServer(script);
  const transporter = postpool.createTransport(
    { pool: true, host: '127.0.0.1', port: server.port, ...options },
    defaults,
  );
  open.push(async () => {
    await transporter.close({ force: true });
    await server.close();
  });
  return { server, transporter };
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((close) => close()));
});

/** Starts `count` sends; each resolves to `sent` or to its error. */
function sendMany(transporter, count, fields) {
  return Array.from({ length: count }, (_, i) =>
    transporter.sendMail({ ...MESSAGE, subject: `number ${i + 1}`, ...fields }).then(
      () => 'sent',
      (err) => err,
    ),
  );
}

/** Resolves when the condition holds; fails the test when it never does. */
async function until(condition, ms = 5000) {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Commands that match, over all connections. */
const heard = (server, pattern) =>
  server.connections.flatMap(({ commands }) => commands).filter((line) => pattern.test(line));

module.exports = { MESSAGE, start, sendMany, until, heard, onEnd: (close) => open.push(close) };
