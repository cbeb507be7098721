'use strict';

/** A worker thread that sends over a pool of its own and ends by itself. */

const { parentPort, workerData } = require('node:worker_threads');
const { createTransport } = require('postpool');

async function main() {
  const transporter = createTransport(workerData);
  const fields = { from: 'sender@example.com', to: 'recipient@example.com', text: 'Hello.' };
  const sends = Array.from({ length: 20 }, (_, i) =>
    transporter.sendMail({ ...fields, subject: `worker ${i}` }),
  );
  const infos = await Promise.all(sends);
  parentPort.postMessage([transporter.engine, infos.length]);
  await transporter.close();
}

main();
