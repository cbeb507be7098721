'use strict';

/** Fake timers, set before the first pool: sending must not wait for a time that never passes. */

/* global vi */
const postpool = require('postpool');

const runner = typeof jest === 'undefined' ? vi : jest;
const message = { from: 'sender@example.com', to: 'recipient@example.com', subject: 'hello', text: 'Hello.' };

beforeEach(() => runner.useFakeTimers());
afterEach(() => runner.useRealTimers());

const pooled = (options) =>
  postpool.createTransport({ pool: true, host: '127.0.0.1', port: Number(process.env.PORT), ...options });

test('messages are sent, with and without attachments', async () => {
  const transporter = pooled();
  const attachments = [{ path: __filename }, { filename: 'a.bin', content: Buffer.alloc(100000) }];
  const infos = await Promise.all([
    transporter.sendMail(message),
    transporter.sendMail({ ...message, attachments }),
  ]);
  expect(infos.map(({ accepted }) => accepted.length)).toEqual([1, 1]);
  await transporter.close();
});

test('idle comes, verify answers, and a drain ends', async () => {
  const transporter = pooled();
  await new Promise((resolve) => transporter.once('idle', resolve));
  expect(await transporter.verify()).toBe(true);
  transporter.sendMail(message);
  expect(await transporter.drain({ timeout: 60000 })).toMatchObject({ sent: 1, remaining: 0 });
});

test('a rate is kept in real time', async () => {
  const transporter = pooled({ rateLimit: 2, rateDelta: 100, maxConnections: 1 });
  await Promise.all(Array.from({ length: 4 }, () => transporter.sendMail(message)));
  await transporter.close();
});

test('a message that runs out of time fails in real time', async () => {
  const transporter = pooled({ timeout: 5 });
  transporter.pause();
  const err = await transporter.sendMail(message).catch((error) => error);
  expect([err.code, err.phase]).toEqual(['ETIMEDOUT', 'queue']);
  await transporter.close();
});
