'use strict';

const { after, FIN, SILENCE } = require('../support/servers');
const { MESSAGE, start, sendMany, until, heard } = require('../support/pool');

const ONE = { maxConnections: 1, pipelining: false };
const slow = (ms) => ({ replies: { body: after(ms, '250 2.0.0 queued') } });
const inBody = ({ connections }) => connections.some(({ commands }) => commands.includes('DATA'));

test('drain sends what is queued, closes, and counts what became of it', async () => {
  const { server, transporter } = await start(
    { replies: { body: (session, { to }) => (/bad/.test(to[0]) ? '554 5.6.0 no' : undefined) } },
    ONE,
  );
  await transporter.sendMail(MESSAGE);
  const sends = [...sendMany(transporter, 3), ...sendMany(transporter, 1, { to: 'bad@example.com' })];
  expect(await transporter.drain()).toEqual({ sent: 3, failed: 1, inDoubt: 0, remaining: 0 });
  expect((await Promise.all(sends)).map((outcome) => outcome.code ?? outcome)).toEqual([
    'sent',
    'sent',
    'sent',
    'EMESSAGE',
  ]);
  expect(server.messages).toHaveLength(4);
  await until(() => heard(server, /^QUIT/).length === 1);
});

test('drain after its timeout tells what remains and what is in doubt', async () => {
  const { transporter } = await start({ replies: { body: SILENCE } }, ONE);
  const sends = sendMany(transporter, 3);
  expect(await transporter.drain({ timeout: 100 })).toEqual({ sent: 0, failed: 0, inDoubt: 1, remaining: 2 });
  const [first, ...others] = await Promise.all(sends);
  expect([first.phase, first.maybeDelivered]).toEqual(['in-doubt', true]);
  for (const { code, maybeDelivered } of others) {
    expect([code, maybeDelivered]).toEqual(['ECONNECTION', false]);
  }
});

test('a second drain gets the result of the first', async () => {
  const { transporter } = await start(slow(20), ONE);
  sendMany(transporter, 2);
  const [first, second] = await Promise.all([transporter.drain(), transporter.drain({ timeout: 1 })]);
  expect(second).toEqual(first);
  expect(first.sent).toBe(2);
  expect(await transporter.drain()).toEqual(first);
});

test('drain goes on where the pool was paused', async () => {
  const { transporter } = await start({}, ONE);
  transporter.pause();
  sendMany(transporter, 2);
  expect((await transporter.drain()).sent).toBe(2);
});

test('drain and close of a pool that was never used resolve', async () => {
  const { transporter } = await start({});
  expect(await transporter.drain()).toEqual({ sent: 0, failed: 0, inDoubt: 0, remaining: 0 });
  expect(await transporter.close()).toBeUndefined();
});

test('close lets what is being delivered finish; close with force ends it', async () => {
  const { server, transporter } = await start(slow(300), ONE);
  const [first] = sendMany(transporter, 1);
  await until(() => inBody(server));
  let closed = false;
  const closing = transporter.close().then(() => (closed = true));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(closed).toBe(false);
  await transporter.close({ force: true });
  expect((await first).code).toBe('ECONNECTION');
  await closing;
});

test('sends after close and after drain fail with a code, by promise and by callback', async () => {
  const { transporter } = await start({});
  await transporter.drain();
  await expect(transporter.sendMail(MESSAGE)).rejects.toMatchObject({ code: 'ECONNECTION', phase: 'queue' });
  const args = await new Promise((resolve) => transporter.sendMail(MESSAGE, (...all) => resolve(all)));
  expect(args).toEqual([expect.objectContaining({ message: 'Connection pool was closed' }), undefined]);
});

test('every promise settles whatever is called twice or too late', async () => {
  const { transporter } = await start(slow(20), { maxConnections: 2 });
  const sends = sendMany(transporter, 10);
  const calls = [
    transporter.close(),
    transporter.drain(),
    transporter.close({ force: true }),
    transporter.close(),
    transporter.drain({ timeout: 5 }),
    transporter.verify().catch((err) => err),
  ];
  transporter.pause();
  transporter.resume();
  transporter.resize({ maxConnections: 3 });
  transporter.rotate();
  await Promise.all([...sends, ...calls]);
  expect(transporter.pendingCount()).toBe(0);
});

test('verify works after close, before any use and after it', async () => {
  const { transporter } = await start({});
  await transporter.close();
  expect(await transporter.verify()).toBe(true);
  const used = await start({});
  await used.transporter.sendMail(MESSAGE);
  await used.transporter.close();
  expect(await used.transporter.verify()).toBe(true);
});

test('verify while the pool closes settles', async () => {
  const { transporter } = await start({ replies: { greeting: after(30, '220 hello') } });
  const verified = transporter.verify();
  await transporter.close();
  expect(await verified).toBe(true);
});

test('await using drains', async () => {
  const { server, transporter } = await start({}, ONE);
  const sends = sendMany(transporter, 3);
  await transporter[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]();
  expect(await Promise.all(sends)).toEqual(['sent', 'sent', 'sent']);
  expect(server.messages).toHaveLength(3);
});

test('close while the server is silent, in every state of a connection', async () => {
  for (const step of ['greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'body']) {
    const { transporter } = await start({ capabilities: [], replies: { [step]: SILENCE } }, ONE);
    const sends = sendMany(transporter, 2);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await transporter.close({ force: true });
    for (const outcome of await Promise.all(sends)) expect(outcome).toBeInstanceOf(Error);
    expect(transporter.pendingCount()).toBe(0);
  }
});

test('drain gives up when the server goes away for good', async () => {
  const { transporter } = await start({ replies: { MAIL: FIN } }, { ...ONE, maxRequeues: 1 });
  sendMany(transporter, 2);
  const { sent, failed } = await transporter.drain();
  expect([sent, failed]).toEqual([0, 2]);
});
