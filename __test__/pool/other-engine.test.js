'use strict';

/** A pool on nodemailer's engine: what postpool adds there as well. */

const { start, sendMany, MESSAGE } = require('../support/pool');

/** An option that only nodemailer's engine has, and that changes nothing. */
const getSocket = (_, callback) => setImmediate(callback, null, false);

test.each([
  ['an id that is a number', { messageId: 12345 }, undefined],
  [
    'a file name that is a number',
    { attachments: [{ filename: 1, content: 'x', contentType: 'a/b' }] },
    'EMESSAGE',
  ],
])('%s costs no other message anything', async (_, fields, code) => {
  const { server, transporter } = await start({}, { getSocket });
  const [bad] = await Promise.all(sendMany(transporter, 1, fields));
  expect([bad.code, await transporter.sendMail(MESSAGE).then(() => 'sent')]).toEqual([code, 'sent']);
  expect(transporter.engine).toBe('nodemailer');
  expect(server.messages).toHaveLength(code ? 1 : 2);
});

test('close can be awaited, and a drain sends what is queued', async () => {
  const { server, transporter } = await start({}, { getSocket, maxConnections: 1 });
  const sends = sendMany(transporter, 5);
  expect(await transporter.drain()).toMatchObject({ sent: 5, failed: 0 });
  await transporter.close();
  expect([await Promise.all(sends), server.messages.length]).toEqual([Array(5).fill('sent'), 5]);
});
