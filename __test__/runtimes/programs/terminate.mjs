/** Worker threads that are ended while they send, round after round; then the main thread sends. */

import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createTransport } from 'postpool';

const options = { pool: true, host: '127.0.0.1', port: Number(process.argv[2]) };
const file = fileURLToPath(new URL('endless.cjs', import.meta.url));

for (let round = 0; round < 3; round += 1) {
  const workers = Array.from({ length: 4 }, () => new Worker(file, { workerData: options }));
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
  await Promise.all(workers.map((worker) => worker.terminate()));
}

const transporter = createTransport(options);
await transporter.sendMail({ from: 'sender@example.com', to: 'recipient@example.com', subject: 'after all' });
console.log(transporter.engine);
await transporter.close();
