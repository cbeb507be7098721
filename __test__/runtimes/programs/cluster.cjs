'use strict';

/** Four processes of a cluster, each with a pool of its own; `node cluster.cjs <port>`. */

const cluster = require('node:cluster');
const { createTransport } = require('postpool');

async function work(port, id) {
  const transporter = createTransport({ pool: true, host: '127.0.0.1', port, maxConnections: 2 });
  const fields = { from: 'sender@example.com', to: 'recipient@example.com', text: 'Hello.' };
  const send = (i) => transporter.sendMail({ ...fields, subject: `process ${id} message ${i}` });
  await Promise.all(Array.from({ length: 25 }, (_, i) => send(i)));
  await transporter.drain();
  process.send(transporter.engine, () => process.disconnect());
}

function lead() {
  const said = [];
  for (let id = 0; id < 4; id += 1) cluster.fork({ ID: id }).on('message', (engine) => said.push(engine));
  const codes = [];
  cluster.on('exit', (_, code) => {
    codes.push(code);
    if (codes.length === 4) console.log(JSON.stringify({ said, codes }));
  });
}

if (cluster.isPrimary) lead();
else work(Number(process.argv[2]), process.env.ID);
