'use strict';

const { startServer, after, SILENCE } = require('../support/servers');
const { until } = require('../support/pool');
const { run, QUIET } = require('./children');

let server;
const script = async (replies) => (server = await startServer({ replies }));
afterEach(() => server?.close());

test('a pending send keeps the process alive until it is done, then nothing does', async () => {
  await script({ body: after(300, '250 2.0.0 queued') });
  const ended = await run('postpool.createTransport(options).sendMail(message);', server);
  expect(ended).toEqual(QUIET);
  expect(server.messages).toHaveLength(1);
});

test('an idle pool with open connections lets the process go', async () => {
  await script();
  const body = `
    const transporter = postpool.createTransport({ ...options, minConnections: 2 });
    await Promise.all([1, 2, 3].map(() => transporter.sendMail(message)));`;
  expect(await run(body, server)).toEqual(QUIET);
  expect(server.messages).toHaveLength(3);
});

test('a pool that was never used lets the process go', async () => {
  await script();
  expect(await run('postpool.createTransport(options); postpool.pool(options);', server)).toEqual(QUIET);
});

test('messages fed from the idle event all leave before the process ends', async () => {
  await script();
  const body = `
    const transporter = postpool.createTransport({ ...options, maxConnections: 2 });
    let left = 25;
    transporter.on('idle', () => {
      while (transporter.isIdle() && left > 0) { left -= 1; transporter.sendMail(message); }
    });`;
  expect(await run(body, server)).toEqual(QUIET);
  expect(server.messages).toHaveLength(25);
});

test('a pending verify, drain or close keeps the process alive', async () => {
  await script({ greeting: after(100, '220 hello'), body: after(100, '250 ok') });
  const body = `
    const transporter = postpool.createTransport(options);
    console.log(await transporter.verify());
    transporter.sendMail(message);
    console.log(JSON.stringify(await transporter.drain()));
    console.log(await transporter.close());`;
  const { code, out } = await run(body, server);
  expect([code, out]).toEqual([0, 'true\n{"sent":1,"failed":0,"inDoubt":0,"remaining":0}\nundefined\n']);
});

test('a pool that is dropped still sends what it has', async () => {
  await script({ body: after(50, '250 ok') });
  const body = `
    for (let i = 0; i < 3; i += 1) postpool.createTransport(options).sendMail(message);
    gc();
    setTimeout(gc, 10);`;
  expect(await run(body, { port: server.port, args: ['--expose-gc'] })).toEqual(QUIET);
  expect(server.messages).toHaveLength(3);
});

test('what a caller gave is let go of while the message waits, and arrives all the same', async () => {
  await script({ greeting: after(400, '220 hello') });
  const body = `
    const transporter = postpool.createTransport(options);
    const given = [{}, { lane: 'bulk' }, { auth: { user: 'own', pass: 'own' } }];
    const sends = [], kept = [];
    for (const fields of given) {
      const data = { ...message, html: 'x'.repeat(1e6), ...fields };
      data.headers = { 'x-own': 'kept' };
      kept.push(new WeakRef(data.headers));
      sends.push(transporter.sendMail(data));
    }
    const streamed = { ...message, attachments: [{ content: Buffer.from('kept') }] };
    kept.push(new WeakRef(streamed.attachments));
    sends.push(transporter.sendMail(streamed));
    setTimeout(async () => {
      gc();
      console.log(transporter.pendingCount(), kept.map((ref) => ref.deref() !== undefined).join());
      await Promise.all(sends);
    }, 50);`;
  const expected = `4 ${'false,'.repeat(3)}true\n`;
  const ended = await run(body, { port: server.port, args: ['--expose-gc'] });
  expect(ended).toEqual({ ...QUIET, out: expected });
  expect(server.messages.filter(({ body: raw }) => raw.length > 1e6)).toHaveLength(3);
});

test('process.exit ends at once whatever is under way', async () => {
  await script({ MAIL: SILENCE });
  const body = `
    postpool.createTransport(options).sendMail(message);
    setTimeout(() => process.exit(7), 100);`;
  expect(await run(body, server)).toEqual({ ...QUIET, code: 7 });
});

test('a listener that throws is an uncaught exception, and costs nobody a message or an event', async () => {
  await script();
  const body = `
    const thrown = [];
    process.on('uncaughtException', (err) => thrown.push(err.message));
    const transporter = postpool.createTransport({ ...options, maxConnections: 1 });
    transporter.on('messageSent', () => { throw new Error('mine'); });
    transporter.on('idle', () => { throw new Error('idle'); });
    for (let i = 0; i < 3; i += 1) await transporter.sendMail(message);
    await transporter.drain();
    setTimeout(() => console.log(thrown.filter((text) => text === 'mine').length), 20);`;
  expect(await run(body, server)).toEqual({ ...QUIET, out: '3\n' });
  expect(server.messages).toHaveLength(3);
});

test('nothing is printed when connections fail', async () => {
  await script({ greeting: '554 no' });
  const body = `await postpool.createTransport(options).sendMail(message).catch(() => {});`;
  expect(await run(body, server)).toEqual(QUIET);
});

test('timers that are replaced later hold nothing up', async () => {
  await script({ body: after(20, '250 ok') });
  const body = `
    for (const name of ['setTimeout', 'setImmediate', 'setInterval', 'clearTimeout']) {
      globalThis[name] = () => { throw new Error(name + ' is fake'); };
    }
    const transporter = postpool.createTransport(options);
    const seen = [];
    transporter.on('idle', () => seen.push('idle'));
    await transporter.sendMail(message);
    console.log(JSON.stringify(await transporter.drain({ timeout: 5000 })));
    await transporter.sendMail(message).catch((err) => console.log(err.code, seen[0]));`;
  const { out, err } = await run(body, server);
  expect([err, out]).toEqual(['', '{"sent":0,"failed":0,"inDoubt":0,"remaining":0}\nECONNECTION idle\n']);
  await until(() => server.messages.length === 1);
});
