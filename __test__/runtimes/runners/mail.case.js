'use strict';

/**
 * A test file as an application has it, for Jest and for Vitest (with its globals): the transporter
 * is made once and used by several tests. `PORT` is the server's.
 */

const postpool = require('postpool');

const message = { from: 'sender@example.com', to: 'recipient@example.com', subject: 'hello', text: 'Hello.' };

let transporter;
beforeAll(() => {
  transporter = postpool.createTransport({ pool: true, host: '127.0.0.1', port: Number(process.env.PORT) });
});
afterAll(() => transporter.close());

test('a message is sent, natively', async () => {
  const info = await transporter.sendMail(message);
  expect(info.accepted).toEqual(['recipient@example.com']);
  expect(transporter.engine).toBe('native');
});

test('many messages are sent', async () => {
  const infos = await Promise.all(Array.from({ length: 20 }, () => transporter.sendMail(message)));
  expect(infos.every(({ response }) => /^250/.test(response))).toBe(true);
});

test('an error is an Error here', async () => {
  const err = await transporter.sendMail({ ...message, to: 'nobody@example.com' }).catch((error) => error);
  expect(err).toBeInstanceOf(Error);
  expect([err.code, err.responseCode]).toEqual(['EENVELOPE', 550]);
});
