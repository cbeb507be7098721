'use strict';

/** Sends under the mock timers of `node:test`, whose time never passes; `node mock-timers.cjs <port>`. */

const { mock } = require('node:test');
const { createTransport } = require('postpool');

async function main() {
  mock.timers.enable();
  const transporter = createTransport({ pool: true, host: '127.0.0.1', port: Number(process.argv[2]) });
  const fields = { from: 'sender@example.com', to: 'recipient@example.com', text: 'Hello.' };
  const info = await transporter.sendMail(fields);
  console.log(`${transporter.engine} ${info.accepted.length}`);
  await transporter.drain({ timeout: 1000 });
}

main();
