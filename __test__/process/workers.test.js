'use strict';

const { startServer, after } = require('../support/servers');
const { run, QUIET, ROOT } = require('./children');

let server;
afterEach(() => server?.close());

/** A worker that sends `count` messages; the main thread does `main` with `workers` of them. */
const program = (workers, count, main) => `
  const { Worker } = require('node:worker_threads');
  const source = \`
    const postpool = require(\${JSON.stringify(require.resolve(${JSON.stringify(ROOT)}))});
    const transporter = postpool.createTransport(\${JSON.stringify(options)});
    const { parentPort } = require('node:worker_threads');
    parentPort.postMessage('started');
    for (let i = 0; i < ${count}; i += 1) transporter.sendMail(\${JSON.stringify(message)}).catch(() => {});
  \`;
  const workers = Array.from({ length: ${workers} }, () => new Worker(source, { eval: true }));
  const ended = Promise.all(workers.map((worker) => new Promise((resolve) => worker.on('exit', resolve))));
  const started = Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
  ${main}
  console.log(JSON.stringify(await ended));`;

test('twenty workers send and end by themselves', async () => {
  server = await startServer();
  const ended = await run(program(20, 5, ''), { port: server.port, deadline: 20000 });
  expect(ended).toEqual({ ...QUIET, out: `${JSON.stringify(Array(20).fill(0))}\n` });
  expect(server.messages).toHaveLength(100);
});

test('workers terminated while they send take their pools with them', async () => {
  server = await startServer({ replies: { body: after(1500, '250 ok') } });
  const main = `
    await started;
    await new Promise((resolve) => setTimeout(resolve, 100));
    await Promise.all(workers.map((worker) => worker.terminate()));
    const transporter = postpool.createTransport({ ...options, connectionTimeout: 2000 });
    console.log(await transporter.verify());`;
  const { code, signal, out, err } = await run(program(20, 3, main), { port: server.port, deadline: 20000 });
  expect([code, signal, err, out.split('\n')[0]]).toEqual([0, null, '', 'true']);
  const open = server.connections.filter((session) => !session.socket.destroyed);
  expect(open.length).toBeLessThanOrEqual(1);
});

test('a worker that is terminated again and again leaves the process sound', async () => {
  server = await startServer({ replies: { body: after(20, '250 ok') } });
  const main = `
    await started;
    await Promise.all(workers.map((worker, i) => new Promise((resolve) =>
      setTimeout(() => worker.terminate().then(resolve), i * 7))));`;
  const { code, signal, err } = await run(program(10, 20, main), { port: server.port, deadline: 20000 });
  expect([code, signal, err]).toEqual([0, null, '']);
});
