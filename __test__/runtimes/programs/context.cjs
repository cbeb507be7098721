'use strict';

/** Where AsyncLocalStorage leads around `sendMail`; `node context.cjs <port>`. */

const { AsyncLocalStorage } = require('node:async_hooks');
const { Readable } = require('node:stream');
const { createTransport } = require('postpool');

const storage = new AsyncLocalStorage();
const fields = { from: 'sender@example.com', to: 'recipient@example.com', subject: 'context' };

/** A message the engine composes, one that is composed here, and one that fails. */
const MESSAGES = {
  native: () => ({ ...fields, text: 'Hello.' }),
  composed: () => ({ ...fields, text: Readable.from(['Hello.']) }),
  refused: () => ({ ...fields, to: 'nobody@example.com', text: 'Hello.' }),
};

async function main(port) {
  const transporter = createTransport({ pool: true, host: '127.0.0.1', port, maxConnections: 1 });
  const seen = [];
  const note = (name) => seen.push([name, storage.getStore()]);
  const sends = Object.entries(MESSAGES).flatMap(([name, make]) => [
    storage.run(`${name} promise`, async () => {
      await transporter.sendMail(make()).catch(() => {});
      note(`${name} promise`);
    }),
    storage.run(`${name} callback`, () => {
      return new Promise((resolve) => {
        transporter.sendMail(make(), () => {
          note(`${name} callback`);
          resolve();
        });
      });
    }),
  ]);
  await Promise.all(sends);
  await storage.run('verify', async () => {
    await transporter.verify();
    note('verify');
  });
  await storage.run('drain', async () => {
    await transporter.drain();
    note('drain');
  });
  console.log(JSON.stringify(seen));
}

main(Number(process.argv[2]));
