/**
 * An application in small: the package by import and by require, a pool, TLS, a worker thread.
 * Runs as `<runtime> everything.mjs '{"plain": port, "secure": port, "ca": file}'`, says what it saw
 * as JSON and must then end by itself.
 */

import fs from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import postpool, { createTransport, pool } from 'postpool';
import * as everything from 'postpool';

const require = createRequire(import.meta.url);
const { plain, secure, ca } = JSON.parse(process.argv[2]);
const base = { pool: true, host: '127.0.0.1' };
const message = (subject) => ({
  from: 'sender@example.com',
  to: 'recipient@example.com',
  subject,
  text: 'Hello.',
});

function sameByAllWays() {
  const required = require('postpool');
  return (
    postpool === required &&
    everything.default === required &&
    createTransport === required.createTransport &&
    typeof pool === 'function'
  );
}

/** Everything at once over three connections; a drain waits for all of it. */
async function manyOverPool(count) {
  const transporter = createTransport({ ...base, port: plain, maxConnections: 3 });
  let idle = 0;
  transporter.on('idle', () => (idle += 1));
  const sends = Array.from({ length: count }, (_, i) => transporter.sendMail(message(`pooled ${i}`)));
  const infos = await Promise.all(sends);
  const drained = await transporter.drain();
  const fine = infos.every(({ response, messageId }) => /^250/.test(response) && messageId);
  return { engine: transporter.engine, fine, idle: idle > 0, drained };
}

async function overTls() {
  const transporter = createTransport({
    ...base,
    host: 'localhost',
    port: secure,
    secure: true,
    tls: { ca: fs.readFileSync(ca, 'utf8') },
  });
  const verified = await transporter.verify();
  await transporter.sendMail(message('encrypted'));
  const outcome = { engine: transporter.engine, verified };
  return { ...outcome, closed: (await transporter.close()) === undefined };
}

function inWorker() {
  const file = fileURLToPath(new URL('worker.cjs', import.meta.url));
  const worker = new Worker(file, { workerData: { ...base, port: plain } });
  return new Promise((resolve, reject) => {
    let said;
    worker.on('message', (text) => (said = text));
    worker.on('error', reject);
    worker.on('exit', (code) => resolve({ said, code }));
  });
}

/** The error of a refused message, as a user sees it. */
async function refusal() {
  const transporter = createTransport({ ...base, port: plain });
  const {
    code,
    responseCode,
    phase,
    message: text,
  } = await transporter.sendMail({ ...message('refused'), to: 'nobody@example.com' }).catch((err) => err);
  transporter.close();
  return { code, responseCode, phase, text };
}

const seen = {
  same: sameByAllWays(),
  pooled: await manyOverPool(200),
  tls: await overTls(),
  worker: await inWorker(),
  refusal: await refusal(),
};
// An idle pool with an open connection must not keep the process.
await createTransport({ ...base, port: plain }).sendMail(message('last'));
console.log(JSON.stringify(seen));
