'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const { after } = require('../support/servers');
const { MESSAGE, start, sendMany, until, heard } = require('../support/pool');

const AUTH = { user: 'user', pass: 'secret' };
const slow = (ms) => ({ replies: { body: after(ms, '250 2.0.0 queued') } });
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('pause starts no further message, resume goes on', async () => {
  const { server, transporter } = await start({}, { maxConnections: 1 });
  await transporter.sendMail(MESSAGE);
  transporter.pause();
  transporter.pause();
  const sends = sendMany(transporter, 3);
  await wait(50);
  expect([server.messages.length, transporter.pendingCount()]).toEqual([1, 3]);
  transporter.resume();
  expect(await Promise.all(sends)).toEqual(['sent', 'sent', 'sent']);
});

test('a pool paused before its first message waits', async () => {
  const { server, transporter } = await start({});
  transporter.pause();
  const sends = sendMany(transporter, 2);
  await wait(50);
  expect(server.connections).toHaveLength(0);
  transporter.resume();
  expect(await Promise.all(sends)).toEqual(['sent', 'sent']);
});

test('resize allows more connections at once', async () => {
  const { server, transporter } = await start(slow(100), { maxConnections: 1, pipelining: false });
  const sends = sendMany(transporter, 6);
  await until(() => server.connections.length === 1);
  transporter.resize({ maxConnections: 3 });
  await until(() => server.connections.length === 3);
  await Promise.all(sends);
});

test('resize keeps a pool warm and slows it down', async () => {
  const { server, transporter } = await start({});
  transporter.resize({ minConnections: 2 });
  await until(() => server.connections.length === 2);
  transporter.resize({ rateLimit: 2 });
  const sends = sendMany(transporter, 4);
  await wait(200);
  expect(server.messages).toHaveLength(2);
  transporter.resize({ rateLimit: 0 });
  expect(await Promise.all(sends)).toEqual(Array(4).fill('sent'));
});

test.each([
  [{ maxConnections: 0 }],
  [{ maxConnections: -1 }],
  [{ maxConnections: 'many' }],
  [{ minConnections: -1 }],
  [{ rateLimit: -5 }],
])('resize refuses %j', async (bounds) => {
  const { transporter } = await start({});
  expect(() => transporter.resize(bounds)).toThrow(expect.objectContaining({ code: 'ECONFIG' }));
  await transporter.sendMail(MESSAGE);
});

test('rotate lets new connections log in with the new credentials', async () => {
  const { server, transporter } = await start(
    { auth: {}, replies: { AUTH: '235 2.7.0 welcome' } },
    { auth: AUTH, maxConnections: 1 },
  );
  await transporter.sendMail(MESSAGE);
  transporter.rotate({ auth: { user: 'user', pass: 'renewed' } });
  await transporter.sendMail(MESSAGE);
  const logins = heard(server, /^AUTH/).map((line) => Buffer.from(line.split(' ')[2], 'base64').toString());
  expect(logins).toEqual(['\0user\0secret', '\0user\0renewed']);
  await until(() => server.connections[0].commands.includes('QUIT'));
});

test('rotate to TLS options only nodemailer can honour moves what comes later to its engine', async () => {
  const { server, transporter } = await start(slow(20), { maxConnections: 1 });
  const sends = sendMany(transporter, 3);
  transporter.rotate({ tls: { checkServerIdentity: () => undefined } });
  expect(transporter.engine).toBe('nodemailer');
  expect(await Promise.all([...sends, ...sendMany(transporter, 2)])).toEqual(Array(5).fill('sent'));
  expect(server.messages).toHaveLength(5);
});

test('the caller keeps its asynchronous context, by promise and by callback', async () => {
  const { transporter } = await start({});
  const storage = new AsyncLocalStorage();
  const seen = await Promise.all(
    [1, 2, 3].map((id) =>
      storage.run(id, async () => {
        await transporter.sendMail(MESSAGE);
        const inCallback = await new Promise((resolve) =>
          transporter.sendMail(MESSAGE, () => resolve(storage.getStore())),
        );
        return [storage.getStore(), inCallback];
      }),
    ),
  );
  expect(seen).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
});

test("Jest's fake timers hold nothing up", async () => {
  const { transporter } = await start({}, { maxConnections: 1 });
  jest.useFakeTimers();
  try {
    const idle = new Promise((resolve) => transporter.once('idle', resolve));
    expect(await Promise.all(sendMany(transporter, 3))).toEqual(['sent', 'sent', 'sent']);
    await idle;
    expect((await transporter.drain({ timeout: 1000 })).failed).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

test('a callback that throws is logged and disturbs no other message', async () => {
  const errors = [];
  const logger = { info() {}, debug() {}, warn() {}, error: (...args) => errors.push(args) };
  const { transporter } = await start({}, { logger });
  await new Promise((resolve) =>
    transporter.sendMail(MESSAGE, () => {
      resolve();
      throw new Error('mine');
    }),
  );
  await transporter.sendMail(MESSAGE);
  expect(errors.map(([entry]) => entry.err.message)).toEqual(['mine']);
});

test.each([
  [
    'a file name that is a number',
    { attachments: [{ filename: 1, contentType: 'text/plain', content: 'x' }] },
  ],
  ['a list of attachments with null', { attachments: [null] }],
  ['nothing at all', undefined],
])('%s is a clear error, and the next message goes out', async (_, fields) => {
  const { server, transporter } = await start({}, { maxConnections: 1 });
  await expect(transporter.sendMail(fields && { ...MESSAGE, ...fields })).rejects.toThrow(Error);
  await transporter.sendMail(MESSAGE);
  expect(server.messages).toHaveLength(1);
});

test('more recipients than allowed fail before anybody connects', async () => {
  const { server, transporter } = await start({});
  const to = Array.from({ length: 11 }, (_, i) => `r${i}@example.com`);
  await expect(transporter.sendMail({ ...MESSAGE, to, maxRecipients: 10 })).rejects.toMatchObject({
    code: 'EMAXRECIPIENTS',
  });
  expect(server.connections).toHaveLength(0);
  expect((await transporter.sendMail({ ...MESSAGE, to, maxRecipients: 11 })).accepted).toHaveLength(11);
});

describe("on nodemailer's engine", () => {
  const foreign = { getSocket: (options, done) => setImmediate(() => done(null, false)), maxConnections: 1 };

  test('pause, resume, drain, stats and the counts work', async () => {
    const { server, transporter } = await start(slow(10), foreign);
    expect(transporter.engine).toBe('nodemailer');
    transporter.pause();
    sendMany(transporter, 3);
    await wait(50);
    expect([server.messages.length, transporter.pendingCount()]).toEqual([0, 3]);
    transporter.resume();
    expect(await transporter.drain()).toEqual({ sent: 3, failed: 0, inDoubt: 0, remaining: 0 });
    expect(transporter.stats()).toMatchObject({ engine: 'nodemailer', pending: 0, totals: { sent: 3 } });
  });

  test('resize changes what it can and refuses what it cannot', async () => {
    const { server, transporter } = await start(slow(50), foreign);
    const sends = sendMany(transporter, 4);
    transporter.resize({ maxConnections: 2 });
    await until(() => server.connections.length === 2);
    await Promise.all(sends);
    expect(() => transporter.resize({ minConnections: 1 })).toThrow(/minConnections needs the native engine/);
  });

  test('rotate uses the new credentials for what waits and what comes later', async () => {
    const replies = { AUTH: '235 2.7.0 welcome', body: after(30, '250 2.0.0 queued') };
    const options = { ...foreign, auth: AUTH, maxConnections: 1 };
    const { server, transporter } = await start({ auth: {}, replies }, options);
    const first = sendMany(transporter, 4);
    await until(() => heard(server, /^DATA/).length === 1);
    transporter.pause();
    transporter.rotate({ auth: { user: 'user', pass: 'renewed' } });
    await until(() => server.messages.length === 1);
    transporter.resume();
    expect(await Promise.all([...first, ...sendMany(transporter, 1)])).toEqual(Array(5).fill('sent'));
    const password = (line) => Buffer.from(line.split(' ')[2], 'base64').toString().split('\0')[2];
    expect(heard(server, /^AUTH/).map(password)).toEqual(['secret', 'renewed']);
    expect(server.messages.map(({ connection }) => connection)).toEqual([1, 2, 2, 2, 2]);
    expect(transporter.pendingCount()).toBe(0);
  });

  test('a message that waits can be given up after rotate', async () => {
    const { transporter } = await start(slow(50), { ...foreign, maxConnections: 1 });
    const controller = new AbortController();
    const [first] = sendMany(transporter, 1);
    const second = transporter.sendMail({ ...MESSAGE, signal: controller.signal });
    transporter.rotate({ auth: undefined });
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: 'EABORT' });
    expect(await first).toBe('sent');
    expect(await transporter.drain()).toMatchObject({ remaining: 0 });
  });

  test('close fails what waits and resolves', async () => {
    const { transporter } = await start(slow(50), foreign);
    const sends = sendMany(transporter, 3);
    await transporter.close();
    expect((await Promise.all(sends)).map((outcome) => outcome.message ?? outcome)).toContain(
      'Connection pool was closed',
    );
    expect(transporter.pendingCount()).toBe(0);
  });
});
