'use strict';

// The test kit against a client that knows nothing of it.

const nodemailer = require('nodemailer');

const { startSink } = require('../support/testkit');

const MAIL = { from: 'a@x.test', to: 'b@y.test', subject: 'hi', text: '.dot\n..two\nthree' };

let sink;
let transporter;

async function open(settings, options = {}) {
  sink = await startSink(settings);
  transporter = nodemailer.createTransport({
    host: '127.0.0.1',
    port: sink.port,
    tls: { ca: sink.ca },
    ignoreTLS: !settings.starttls,
    ...options,
  });
  return transporter;
}

afterEach(async () => {
  transporter?.close();
  await sink?.stop();
  sink = transporter = undefined;
});

/** What `sendMail` fails with. */
const failure = (mail) =>
  transporter.sendMail(mail ?? MAIL).then(
    () => null,
    (err) => err,
  );

test('a message arrives with its envelope and without dot-stuffing', async () => {
  await open({ size: 0 });
  const info = await transporter.sendMail({
    ...MAIL,
    dsn: { notify: 'failure', return: 'headers', id: 'x=y' },
  });
  expect(info.response).toBe('250 2.0.0 Ok: queued as 1');
  const [message] = await sink.messages();
  expect(message).toMatchObject({ from: 'a@x.test', connection: 1, ordinal: 1, secure: false, user: null });
  expect(message.params).toEqual(['RET=HDRS', 'ENVID=x+3Dy']);
  expect(message.to).toEqual([{ address: 'b@y.test', params: ['NOTIFY=FAILURE'] }]);
  expect(message.body.toString()).toMatch(/\r\n\r\n\.dot\r\n\.\.two\r\nthree\r\n$/);
  expect(message.size).toBe(message.body.length);
});

test('bodies of any length come through unchanged', async () => {
  await open({});
  const bodies = [1, 100, 10_000, 400_000].map((lines) => '.\r\n..x\r\n\r\nline\r\n'.repeat(lines));
  for (const raw of bodies) {
    await transporter.sendMail({ envelope: { from: MAIL.from, to: [MAIL.to] }, raw });
  }
  const received = (await sink.messages()).map((message) => message.body.toString());
  // Not toEqual: it would print megabytes.
  expect(received.map((body, n) => body === bodies[n])).toEqual([true, true, true, true]);
  const stats = await sink.stats();
  expect([stats.messages, stats.bareLf, stats.bareCr]).toEqual([4, 0, 0]);
});

test.each([
  ['PLAIN', { user: 'user', pass: 'pä ss' }],
  ['LOGIN', { user: 'user', pass: 'pä ss' }],
  ['CRAM-MD5', { user: 'user', pass: 'pä ss' }],
  ['XOAUTH2', { type: 'OAuth2', user: 'user', accessToken: 't0ken' }],
])('%s lets the account in and nobody else', async (mechanism, auth) => {
  const account = { user: 'user', password: 'pä ss', token: 't0ken', mechanisms: [mechanism] };
  await open({ auth: account }, { auth, authMethod: mechanism });
  await transporter.sendMail(MAIL);
  await sink.auth({ ...account, password: 'other', token: 'other' });
  expect(await failure()).toMatchObject({ code: 'EAUTH', responseCode: 535 });
  const [{ user }] = await sink.messages();
  expect(user).toBe('user');
});

test('STARTTLS and TLS are spoken with a certificate the client can check', async () => {
  await open({ starttls: true }, { requireTLS: true });
  await transporter.sendMail(MAIL);
  expect((await sink.messages())[0].secure).toBe(true);
  await sink.stop();
  await open({ tls: true }, { secure: true });
  await transporter.sendMail(MAIL);
  expect(await sink.stats()).toMatchObject({ messages: 1, tlsFull: 1 });
});

test('LMTP gives each recipient a reply', async () => {
  await open(
    { lmtp: true, script: [{ at: 'final-reply', do: { reply: '452 4.2.2 full' }, k: 2 }] },
    { lmtp: true },
  );
  const info = await transporter.sendMail({ ...MAIL, to: ['b@y.test', 'c@y.test'] });
  expect(info.rejected).toEqual(['c@y.test']);
  expect((await sink.messages())[0].to).toHaveLength(1);
});

test.each([
  [{ at: 'connect', do: 'fin' }, { code: 'ECONNECTION' }],
  [
    { at: 'greeting', do: { reply: '554 5.3.2 no' } },
    { code: 'EPROTOCOL', responseCode: 554 },
  ],
  [
    { at: 'mail', do: { reply: '451 4.3.0 later' } },
    { code: 'EENVELOPE', responseCode: 451 },
  ],
  [
    { at: 'rcpt', do: { reply: '550 5.1.1 no' }, address: '*@Y.test' },
    { responseCode: 550, rejected: ['b@y.test'] },
  ],
  [{ at: 'data', do: '421' }, { responseCode: 421 }],
  [{ at: 'body', do: 'rst', after: 10 }, { code: expect.stringMatching(/^E(CONNECTION|SOCKET)$/) }],
  [
    { at: 'end-of-data', do: { reply: '552 5.2.2 full' } },
    { code: 'EMESSAGE', responseCode: 552 },
  ],
])('the script %j is felt', async (rule, expected) => {
  await open({ script: [rule] });
  expect(await failure()).toMatchObject(expected);
  expect(await sink.stats()).toMatchObject({ messages: 0, faults: 1 });
  await sink.script([]);
  await transporter.sendMail(MAIL);
  expect(await sink.messages()).toHaveLength(1);
});

test('the order of commands and reads is told on demand', async () => {
  await open({ record: true });
  await transporter.sendMail(MAIL);
  const commands = (await sink.reads()).flatMap((read) => read.commands.map((line) => line.split(' ')[0]));
  expect(commands.slice(0, 5)).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA', '.']);
  await sink.reset();
  expect(await sink.reads()).toEqual([]);
});

test('a round trip is added to every exchange', async () => {
  await open({ rtt: 60 });
  const start = performance.now();
  await transporter.sendMail(MAIL);
  // Half a round trip for the greeting, then EHLO, the envelope in one group, the body.
  expect(performance.now() - start).toBeGreaterThan(3.5 * 60 - 5);
});

test('a sink that is gone says so, and ends with its input', async () => {
  sink = await startSink();
  await sink.stop();
  await expect(sink.stats()).rejects.toThrow('the sink has ended');
  await expect(startSink({ nonsense: 1 })).rejects.toThrow('unknown field `nonsense`');
});
