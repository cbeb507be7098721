'use strict';

/** Jest's ways to put something in the place of a module or a method. */

const message = { from: 'sender@example.com', to: 'recipient@example.com', subject: 'hello', text: 'Hello.' };
const options = { pool: true, host: '127.0.0.1', port: Number(process.env.PORT) };

beforeEach(() => jest.resetModules());
afterEach(() => jest.unmock('postpool'));

async function sends({ createTransport }) {
  const transporter = createTransport(options);
  const info = await transporter.sendMail(message);
  await transporter.close();
  return [transporter.engine, info.accepted.length];
}

test('postpool mapped to the name of nodemailer', async () => {
  const nodemailer = require('nodemailer');
  expect(nodemailer).toBe(require('postpool'));
  expect(await sends(nodemailer)).toEqual(['native', 1]);
});

test('loaded anew, beside what was loaded before', async () => {
  const before = require('postpool');
  jest.resetModules();
  const after = require('postpool');
  expect(after).not.toBe(before);
  expect(await Promise.all([sends(before), sends(after)])).toEqual([
    ['native', 1],
    ['native', 1],
  ]);
});

test('a module that is mocked as it is', () => {
  jest.mock('postpool');
  const postpool = require('postpool');
  const sendMail = jest.fn();
  postpool.createTransport.mockReturnValue({ sendMail });
  postpool.createTransport(options).sendMail(message);
  expect(sendMail).toHaveBeenCalledWith(message);
  expect(postpool.getTestMessageUrl({})).toBeUndefined();
});

test('a module that is mocked in part', () => {
  jest.doMock('postpool', () => ({
    ...jest.requireActual('postpool'),
    createTransport: jest.fn(() => 'mine'),
  }));
  const postpool = require('postpool');
  expect(postpool.createTransport()).toBe('mine');
  expect(postpool.getTestMessageUrl({})).toBe(false);
});

test('a method that is spied upon, and restored', async () => {
  const transporter = require('postpool').createTransport(options);
  const spy = jest.spyOn(transporter, 'sendMail').mockResolvedValue({ messageId: 'mine' });
  expect(await transporter.sendMail(message)).toEqual({ messageId: 'mine' });
  spy.mockRestore();
  expect((await transporter.sendMail(message)).accepted).toHaveLength(1);
  await transporter.close();
});
