'use strict';

/** A worker thread that sends until it is ended; it says when the first message is through. */

const { parentPort, workerData } = require('node:worker_threads');
const { createTransport } = require('postpool');

const transporter = createTransport(workerData);
const message = {
  from: 'sender@example.com',
  to: 'recipient@example.com',
  subject: 'endless',
  text: 'Hello.',
};

async function send() {
  await transporter.sendMail(message);
  parentPort.postMessage('sent');
  send();
}

for (let i = 0; i < 10; i += 1) send();
