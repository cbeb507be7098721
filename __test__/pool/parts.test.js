'use strict';

/** More recipients than the server takes at once, and a connection that ends in between. */

const { start } = require('../support/pool');
const { FIN } = require('../support/servers');

const PARTS = ['PIPELINING', 'LIMITS RCPTMAX=1'];
const TO = ['a@example.com', 'b@example.com', 'c@example.com'];
const LETTER = { from: 'sender@example.com', to: TO, subject: 'in parts', text: 'Hello.' };

/** Something that happens at the second part, over the first connection. */
const once = (what) => (session) => (session.id === 1 && session.messages === 1 ? what : undefined);
const got = (server) => server.messages.flatMap(({ to }) => to).map((line) => /<(.*)>/.exec(line)[1]);

test.each([
  ['a close', FIN],
  ['421', ['421 4.3.2 enough for now', FIN]],
])('%s between two parts costs nobody the message', async (_, end) => {
  const { server, transporter } = await start({ capabilities: PARTS, replies: { MAIL: once(end) } });
  const info = await transporter.sendMail(LETTER);
  expect(info.accepted).toEqual(TO);
  expect(info.rejected).toEqual([]);
  expect(info).not.toHaveProperty('rejectedErrors');
  expect(info.envelope.to).toEqual(TO);
  expect(got(server)).toEqual(TO);
});

test('a part in doubt fails the send and tells who got the message', async () => {
  const body = (session) => (session.id === 1 && session.messages === 2 ? FIN : undefined);
  const { server, transporter } = await start({ capabilities: PARTS, replies: { body } });
  const err = await transporter.sendMail(LETTER).catch((failure) => failure);
  expect(err).toMatchObject({ code: 'ECONNECTION', phase: 'in-doubt', maybeDelivered: true });
  expect(err.accepted).toEqual(['a@example.com', 'c@example.com']);
  expect(err.rejected).toEqual(['b@example.com']);
  expect(err.rejectedErrors).toMatchObject([{ recipient: 'b@example.com', maybeDelivered: true }]);
  expect(got(server)).toEqual(['a@example.com', 'c@example.com']);
});

test('parts that never get through are refused, and safe to send again', async () => {
  const { transporter } = await start(
    { capabilities: PARTS, replies: { RCPT: (_, line) => (/<b@/.test(line) ? FIN : undefined) } },
    { maxRequeues: 1 },
  );
  const info = await transporter.sendMail(LETTER);
  expect(info.accepted).toEqual(['a@example.com']);
  expect(info.rejected).toEqual(['b@example.com', 'c@example.com']);
  for (const err of info.rejectedErrors) {
    expect(err).toMatchObject({ code: 'ECONNECTION', phase: 'envelope', maybeDelivered: false });
  }
});
