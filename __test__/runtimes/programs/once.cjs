'use strict';

/** Sends one message and says which engine did; `node once.cjs <port>`. */

const { createTransport } = require('postpool');

async function main() {
  const transporter = createTransport({ pool: true, host: '127.0.0.1', port: Number(process.argv[2]) });
  const info = await transporter.sendMail({
    from: 'sender@example.com',
    to: 'recipient@example.com',
    subject: 'once',
    text: 'Hello.',
  });
  console.log(`${transporter.engine} ${info.accepted.length}`);
  await transporter.close();
}

main();
