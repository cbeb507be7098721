'use strict';

/** The log: nodemailer's records, level by level and key by key, and no secret in any of them. */

const util = require('node:util');
const nodemailer = require('nodemailer');
const postpool = require('../..');
const { startServer, FIN } = require('../support/servers');
const { MESSAGE } = require('../support/pool');

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Records in nodemailer's that say what only its way of connecting has to say. */
const ITS_OWN = /^(Resolved|Closing connection|All connections removed|Creating transport|.*encoded mime)/;

/** Sends messages with a logger and gives the records. */
async function record(library, script, options = {}, count = 2) {
  const server = await startServer(script);
  const records = [];
  const keep =
    (level) =>
    (entry, text, ...args) =>
      records.push({
        level,
        entry,
        text: util.format(text, ...args).replaceAll(String(server.port), 'port'),
      });
  const logger = Object.fromEntries(LEVELS.map((level) => [level, keep(level)]));
  const transporter = library.createTransport({
    pool: true,
    host: '127.0.0.1',
    port: server.port,
    maxConnections: 1,
    ...options,
    logger,
  });
  for (let i = 1; i <= count; i++) {
    await transporter.sendMail({ ...MESSAGE, messageId: `<${i}@example.com>` }).catch(() => {});
    await wait(5);
  }
  transporter.close();
  await wait(50);
  await server.close();
  return records;
}

/** A record as what a log filter sees of it. */
const seen = ({ level, entry, text }) => `${level} ${Object.keys(entry).sort()} ${entry.tnx}: ${text}`;

/** Both libraries' records that both can have, in no order: they work on different threads. */
async function both(script, options) {
  const [theirs, ours] = await Promise.all([
    record(nodemailer, script, options),
    record(postpool, script, options),
  ]);
  const comparable = (records) =>
    records
      .filter(({ text }) => !ITS_OWN.test(text) && !/Sending mail using|RSET|QUIT|221 |reset/.test(text))
      .map(seen)
      .sort();
  return { theirs: comparable(theirs), ours: comparable(ours) };
}

test.each([
  ['messages that are sent', {}, {}],
  ['a connection that has sent all it may', {}, { maxMessages: 1 }],
  ['a refused recipient', { replies: { RCPT: '550 5.1.1 no' } }, {}],
  ['a refused message', { replies: { body: '554 5.6.0 no' } }, {}],
  ['the conversation', {}, { transactionLog: true }],
])('%s: the same records', async (_, script, options) => {
  const { theirs, ours } = await both(script, options);
  expect(ours).toEqual(theirs);
});

test('a login: the same records', async () => {
  const { theirs, ours } = await both({ auth: {} }, { auth: { user: 'user', pass: 'secret' } });
  expect(ours).toEqual(theirs);
});

test.each([
  ['PLAIN', 'pass'],
  ['LOGIN', 'pass'],
  ['CRAM-MD5', 'pass'],
  ['XOAUTH2', 'accessToken'],
])('%s under debug: the same lines, and no secret', async (method, field) => {
  const secret = 'hunter2-hunter2';
  const type = method === 'XOAUTH2' ? { type: 'OAuth2' } : { method };
  const options = { auth: { user: 'anna', [field]: secret, ...type }, debug: true };
  const script = { auth: { methods: [method], user: 'anna', pass: secret, token: secret } };
  const lines = async (library) =>
    (await record(library, script, options, 1)).filter(({ entry }) => /client|server/.test(entry.tnx));
  const [theirs, ours] = [await lines(nodemailer), await lines(postpool)];
  const logins = (records) => records.map(({ text }) => text).filter((text) => /AUTH |^\S{8,}$/.test(text));
  expect(logins(ours)).toEqual(logins(theirs));
  const all = JSON.stringify(await record(postpool, script, options));
  for (const form of [secret, `\0anna\0${secret}`, `user=anna\x01auth=Bearer ${secret}\x01\x01`]) {
    expect(all).not.toContain(form);
    expect(all).not.toContain(Buffer.from(form).toString('base64'));
  }
});

test('a refused login is told once, with the error', async () => {
  const records = await record(postpool, { auth: {} }, { auth: { user: 'user', pass: 'wrong' } }, 1);
  const warnings = records.filter(({ level }) => level === 'warn');
  expect(warnings.map(({ text }) => text)).toEqual(['Pool Error for #1: Invalid login: 535 5.7.8 not you']);
  expect(warnings[0].entry).toMatchObject({ tnx: 'pool', cid: 1, component: 'smtp-pool' });
  expect(warnings[0].entry.err.code).toBe('EAUTH');
});

test('a message that goes back to the queue', async () => {
  const script = { replies: { MAIL: (session) => (session.id === 1 ? FIN : undefined) } };
  const records = await record(postpool, script, {}, 1);
  expect(records.map(({ text }) => text)).toContain('Re-queued message <1@example.com> for #1. Attempt: #1');
});

test('every record of a connection has its id, and those of two connections differ', async () => {
  const records = await record(postpool, {}, { maxMessages: 1, transactionLog: true });
  const ids = new Set(records.map(({ entry }) => entry.sid).filter(Boolean));
  expect(ids.size).toBe(2);
});

test('the lines of a message are shown under debug', async () => {
  const records = await record(postpool, {}, { debug: true }, 1);
  const shown = records.filter(({ entry }) => entry.tnx === 'message').map(({ text }) => text);
  expect(shown.join('\n')).toMatch(
    /Subject: hello[^]*Hello\.[^]*\n\.[^]*encoded mime message \(source size \d+/,
  );
});
