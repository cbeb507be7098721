'use strict';

/**
 * What every server is asked. `needs` names what a server must offer; `rungs` repeats a case with
 * every way of pipelining; `sent` is how many mails get through, all by default; `check` says more about the outcomes of postpool than that they are
 * nodemailer's; `apart` names the entry of docs/differences.md by which they are not.
 */

const { composed } = require('./trial');

const numbers = (count) => Array.from({ length: count }, (_, i) => i);
const REFUSED = 'refused@peers.test';

const newsletter = {
  from: { name: 'Grüße aus Köln', address: 'sender@peers.test' },
  to: ['good@peers.test', 'other@peers.test'],
  subject: 'Frühling für alle: 春のニュース',
  text: 'Schöne Grüße.\n',
  html: '<p>Schöne <b>Grüße</b></p><img src="cid:logo@peers.test">',
  attachments: [
    { filename: 'Übersicht.txt', content: 'Zeile\n'.repeat(500) },
    { filename: 'logo.png', content: Buffer.alloc(40000, 137), cid: 'logo@peers.test' },
  ],
};

const dots = ['.', '..', '.hidden', '', '. ', '.\t', 'end.', '.'].join('\n');

const HEAD = 'From: sender@peers.test\nDate: Fri, 02 Jan 2026 03:04:05 +0000\n';

/** Raw text gets no headers, so it brings its id along. */
const rawMail = (body, newline) => ({
  envelope: { from: 'sender@peers.test', to: ['good@peers.test'] },
  raw: (id) => `${HEAD}Message-ID: ${id}\n\n${body}`.replaceAll('\n', newline),
});

const stream = (count) =>
  numbers(count).map((i) => ({
    from: `sender-${i}@peers.test`,
    subject: `number ${i}`,
    text: `${i} `.repeat(1 + (i % 7) * 40),
  }));

/** Refused senders and refused recipients in the middle of good mail; every mail has its own sender. */
const mixed = (count) =>
  stream(count).map((mail, i) => {
    if (i % 5 === 2) return { ...mail, from: REFUSED };
    if (i % 5 === 3) return { ...mail, to: REFUSED };
    return i % 5 === 4 ? { ...mail, to: [REFUSED, 'good@peers.test'] } : mail;
  });

module.exports = [
  { name: 'a small mail', mails: [{}] },
  { name: 'a newsletter with attachments and letters beyond ASCII', mails: [newsletter, newsletter] },
  { name: 'lines that begin with a dot', mails: [{ text: dots }, { text: `${dots}\n.` }, { text: '.' }] },
  {
    name: 'raw mail with CRLF, with bare LF and with dots at every line',
    mails: ['\r\n', '\n'].flatMap((newline) => [rawMail(dots, newline), rawMail('.\n..\n.\n', newline)]),
  },
  { name: 'a mail of 1 MB', mails: [{ text: 'All work and no play.\n'.repeat(48000) }] },
  {
    name: 'mailboxes beyond ASCII',
    needs: ['smtputf8'],
    mails: [{ from: 'søren@peers.test', to: 'good@peers.test', subject: 'æøå' }],
  },
  {
    name: 'delivery status notifications are asked for',
    needs: ['dsn'],
    mails: [
      { dsn: { id: 'id-1', return: 'headers', notify: ['failure', 'delay'], recipient: 'good@peers.test' } },
    ],
  },
  {
    name: '200 mails over 5 connections arrive once, whole, each from its sender',
    options: { maxConnections: 5 },
    mails: stream(200),
  },
  {
    name: 'the same with every way of pipelining',
    rungs: true,
    options: { maxConnections: 3 },
    mails: stream(30),
  },
  {
    name: 'a refused recipient among good ones is the only one that misses it',
    mails: [{ to: ['good@peers.test', REFUSED, 'other@peers.test'] }, {}],
  },
  {
    name: 'a mail for nobody but a refused recipient fails and leaves the next alone',
    options: { maxConnections: 1 },
    sent: 1,
    mails: [{ to: REFUSED }, {}],
  },
  {
    name: 'a refused sender fails and leaves the next alone',
    needs: ['senders'],
    options: { maxConnections: 1 },
    sent: 1,
    mails: [{ from: REFUSED }, {}],
  },
  {
    name: 'recipients refused in the middle of a stream cost nobody else anything',
    rungs: true,
    sent: 20,
    options: { maxConnections: 1 },
    mails: stream(30).map((mail, i) => (i % 3 === 1 ? { ...mail, to: REFUSED } : mail)),
  },
  {
    name: 'no mail gets the sender of a refused one before it',
    needs: ['senders'],
    rungs: true,
    options: { maxConnections: 1 },
    sent: 24,
    mails: mixed(40),
  },
  {
    name: 'a mail larger than the server takes fails before it is sent',
    needs: ['size'],
    apart: 'size-checked',
    sent: 1,
    options: { maxConnections: 1 },
    mails: [{ text: 'x'.repeat(75).concat('\n').repeat(42000) }, {}],
    check: ([large, small]) => {
      expect(large.error).toMatchObject({ code: 'EMESSAGE', phase: 'envelope', maybeDelivered: false });
      expect(small.info.accepted).toEqual(['good@peers.test']);
    },
  },
  {
    name: 'a chunk is as long as the message',
    needs: ['chunking'],
    apart: 'chunked-size',
    options: { pipelining: 8 },
    mails: [{ text: '.\n..\n' }],
    check: async ([{ mail, info }]) => {
      const text = await composed(mail);
      expect(info.messageSize).toBe(text.length + text.split('\n').length - 1);
    },
  },
  {
    name: 'connections of three mails each',
    rungs: true,
    options: { maxConnections: 2, maxMessages: 3 },
    mails: stream(20),
  },
  { name: 'over STARTTLS', needs: ['starttls'], options: { requireTLS: true }, mails: stream(10) },
  { name: 'in the clear where TLS is not wanted', options: { ignoreTLS: true }, mails: stream(10) },
  {
    name: 'over TLS from the first byte',
    needs: ['smtps'],
    port: 'smtps',
    options: { secure: true },
    mails: stream(10),
  },
  {
    name: 'a certificate that does not verify',
    needs: ['starttls'],
    options: { tls: {} },
    sent: 0,
    mails: [{}],
    check: ([{ error }]) => expect(error).toMatchObject({ phase: 'tls', maybeDelivered: false }),
  },
];
