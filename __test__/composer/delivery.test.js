'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { SMTPServer } = require('smtp-server');
const postpool = require('../..');
const { corpus, files } = require('./corpus');
const { theirs } = require('./compare');

const MAILER = { options: {}, _defaults: {} };
const DATE = new Date(1763775000000);
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-delivery-'));
const file = (name) => path.join(dir, name);
const { privateKey } = crypto.generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const received = [];
let server;
let transport;

beforeAll(async () => {
  Object.entries(files).forEach(([name, content]) => fs.writeFileSync(file(name), content));
  server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, callback) {
      const chunks = [];
      stream.on('data', (chunk) => chunks.push(chunk));
      stream.on('end', () => {
        received.push(Buffer.concat(chunks));
        callback();
      });
    },
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address();
  transport = postpool.createTransport({
    pool: true,
    host: '127.0.0.1',
    port,
    ignoreTLS: true,
    maxConnections: 1,
  });
});

afterAll(async () => {
  await transport.close();
  await new Promise((resolve) => server.close(resolve));
  fs.rmSync(dir, { recursive: true });
});

// a generated id or boundary would be another one in nodemailer's message
const make = (name) => () => ({
  date: DATE,
  messageId: '<delivery@postpool.example>',
  baseBoundary: 'delivery',
  ...corpus[name](file, privateKey),
});

/** As a message is on the wire: every line ends with CR LF. */
const onTheWire = (raw) => raw.toString('latin1').replace(/\r?\n|\r/g, '\r\n');

test.each(Object.keys(corpus))('%s arrives as nodemailer would have sent it', async (name) => {
  const expected = await theirs(make(name)(), MAILER);
  const info = await transport.sendMail(make(name)());
  expect(info.accepted).toEqual(expected.to);
  expect(info.messageId).toBe(expected.messageId);
  expect(info.envelope).toEqual({ from: expected.from, to: expected.to });
  expect(received.pop().toString('latin1')).toBe(onTheWire(expected.raw));
});

test('none of them was composed by nodemailer', () => {
  expect(transport.stats().composed).toEqual({ native: Object.keys(corpus).length, nodemailer: {} });
});

test('a Buffer that messages share counts in each as it was when that one was handed over', async () => {
  const content = Buffer.alloc(200000, 'x');
  const handedOver = [];
  const sends = [0, 0, 1, 1, 0].map((changed) => {
    content[content.length - 1] = changed;
    handedOver.push(content.toString('base64'));
    const attachments = [{ filename: 'report.bin', content }];
    return transport.sendMail({ from: 'a@b.example', to: 'c@d.example', attachments });
  });
  content.fill(0);
  const before = received.length;
  await Promise.all(sends);
  const arrived = received.slice(before).map((message) => message.toString('latin1').replace(/\r\n/g, ''));
  expect(arrived).toHaveLength(handedOver.length);
  handedOver.forEach((encoded, nr) => expect(arrived[nr].includes(encoded)).toBe(true));
});
