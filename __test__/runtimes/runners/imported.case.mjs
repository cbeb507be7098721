/** The imports of an application whose tests run in Vitest, and Vitest's mocks. */

import postpool, { createTransport } from 'postpool';
import { expect, test, vi } from 'vitest';

const message = { from: 'sender@example.com', to: 'recipient@example.com', subject: 'hello', text: 'Hello.' };
const options = { pool: true, host: '127.0.0.1', port: Number(process.env.PORT) };

test('by default and by name', async () => {
  expect(postpool.createTransport).toBe(createTransport);
  const transporter = createTransport(options);
  const info = await transporter.sendMail(message);
  expect([transporter.engine, info.accepted.length]).toEqual(['native', 1]);
  await transporter.close();
});

test('a module that is mocked in part', async () => {
  vi.doMock('postpool', async (original) => ({ ...(await original()), createTransport: () => 'mine' }));
  const mocked = await import('postpool');
  expect(mocked.createTransport()).toBe('mine');
  expect(mocked.getTestMessageUrl({})).toBe(false);
});

test('a method that is spied upon', async () => {
  const transporter = createTransport(options);
  vi.spyOn(transporter, 'sendMail').mockResolvedValue({ messageId: 'mine' });
  expect(await transporter.sendMail(message)).toEqual({ messageId: 'mine' });
});
