'use strict';

/** What a message says: text, HTML, calendars, headers, lists, priorities, encodings, DKIM. */

const crypto = require('node:crypto');
const { Readable } = require('node:stream');

const sends = (name, make, row) => ({
  name,
  message: typeof make === 'function' ? make : () => make,
  ...row,
});
const stream = (...parts) =>
  Readable.from(
    parts.map((part) => Buffer.from(part)),
    { objectMode: false },
  );

/** A key of our own for signing; made once, it only has to be the same for both sides. */
const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
const dkim = { domainName: 'example.com', keySelector: 's2026', privateKey: key };

module.exports = [
  sends('no subject', { subject: undefined }),
  sends('a subject beyond ASCII', { subject: 'Grüße aus Köln 💌' }),
  sends('a long subject', { subject: 'word '.repeat(60) }),
  sends('a subject with line breaks', { subject: 'hello\r\nBcc: victim@example.com' }),
  sends('a subject that looks encoded', { subject: '=?UTF-8?Q?no?=' }),
  sends('no content at all', { text: undefined }),
  sends('empty text', { text: '' }),
  sends('text with every kind of line end', { text: 'a\nb\r\nc\rd\n\n.\n..\n.e' }),
  sends('text without a final line break', { text: 'no end' }),
  sends('text beyond ASCII', { text: 'Grüße\n'.repeat(20) }),
  sends('text mostly beyond ASCII', { text: 'привет мир\n'.repeat(10) }),
  sends('text with long lines', { text: `${'x'.repeat(2000)}\n` }),
  sends('text with a NUL', { text: 'a\0b' }),
  sends('text with a lone surrogate', { text: 'a\ud800b' }),
  sends('text as a Buffer', { text: Buffer.from('bytes ü') }),
  sends('text as a stream', () => ({ text: stream('one\n', 'two\n') })),
  sends('text as an object', { text: { content: 'object', contentTransferEncoding: 'base64' } }),
  sends('text with encoding', { text: { content: '48656c6c6f', encoding: 'hex' } }),
  sends('text as a data URI', { text: { path: 'data:text/plain;base64,SGVsbG8=' } }),
  sends('html', { text: undefined, html: '<p>Hello</p>' }),
  sends('text and html', { html: '<p>Grüße</p>' }),
  sends('watchHtml and amp', {
    html: '<p>h</p>',
    watchHtml: '<b>w</b>',
    amp: '<!doctype html><html ⚡4email></html>',
  }),
  sends('alternatives', { alternatives: [{ contentType: 'text/x-web-markdown', content: '**Hello**' }] }),
  sends('icalEvent as a string', { icalEvent: 'BEGIN:VCALENDAR\r\nEND:VCALENDAR' }),
  sends('icalEvent as an object', {
    html: '<p>x</p>',
    icalEvent: {
      method: 'request',
      filename: 'i.ics',
      content: 'BEGIN:VCALENDAR\nSUMMARY:Grüße\nEND:VCALENDAR',
    },
  }),
  sends('encoding', { text: 'hello', encoding: 'base64' }),
  sends('textEncoding base64', { text: 'Grüße', subject: 'Grüße', textEncoding: 'base64' }),
  sends('textEncoding quoted-printable', {
    text: 'привет',
    subject: 'привет',
    textEncoding: 'quoted-printable',
  }),
  sends('newline unix', { html: '<p>x</p>', newline: 'unix' }),
  sends('newline windows', { html: '<p>x</p>', newline: 'windows' }),
  sends('boundaryPrefix', { html: '<p>x</p>', boundaryPrefix: '--_Mine' }),
  sends('a generated boundary', { html: '<p>x</p>', baseBoundary: undefined }),
  sends('no messageId', { messageId: undefined }),
  sends('messageId without brackets', { messageId: 'abc@example.com' }),
  sends('messageId false', { messageId: false }),
  sends('messageId with line breaks', { messageId: '<a@b>\r\nX-Evil: 1' }),
  sends('date as a string', { date: 'Thu, 1 Jan 2026 00:00:00 +0100' }),
  sends('date in another format', { date: '2026-01-01T00:00:00Z' }),
  sends('date that is none', { date: 'yesterday' }),
  sends('no date', { date: undefined }, { mask: [[/^Date: .*$/gm, 'Date: now']] }),
  sends('inReplyTo and references', {
    inReplyTo: 'a@example.com',
    references: ['<b@example.com>', 'c@example.com'],
  }),
  sends('references as a string', { references: 'a@example.com <b@example.com>' }),
  sends('xMailer', { xMailer: 'Mine 1.0' }),
  ...['high', 'normal', 'low', 'HIGH', 'urgent'].map((priority) =>
    sends(`priority ${priority}`, { priority }),
  ),
  sends('headers as an object', {
    headers: { 'X-One': '1', 'x-two': ['a', 'b'], 'X-Uni': 'grüße', 'X-Empty': '' },
  }),
  sends('headers as a list', {
    headers: [
      { key: 'X-One', value: '1' },
      { key: 'X-One', value: '2' },
    ],
  }),
  sends('headers prepared', {
    headers: {
      'X-P': { prepared: true, value: 'as  is ' + 'x '.repeat(60) },
      'X-F': { prepared: true, foldLines: true, value: 'w '.repeat(60) },
    },
  }),
  sends('headers that a field also sets', {
    headers: { Subject: 'from headers', To: 'h@example.com', 'Message-ID': '<h@example.com>' },
  }),
  sends('headers with line breaks', { headers: { 'X-A\r\nX-B': 'c\r\nX-D: e' } }),
  sends('normalizeHeaderKey', {
    headers: { 'x-my-key': 'v' },
    normalizeHeaderKey: (name) => name.toUpperCase(),
  }),
  sends(
    'normalizeHeaderKey of the transport',
    {},
    { options: { normalizeHeaderKey: (name) => name.toLowerCase() } },
  ),
  sends('list headers', {
    list: {
      help: 'help@example.com?subject=help',
      unsubscribe: { url: 'http://example.com/u', comment: 'Unsubscribe ü' },
      subscribe: ['s@example.com', { url: 'https://example.com/s', comment: 'c' }],
      post: [['http://example.com/post', { url: 'p@example.com', comment: 'Post' }]],
      id: { url: 'list.example.com', comment: 'The list' },
    },
  }),
  sends('otp', { otp: { code: '123456', origin: 'https://example.com' } }),
  sends('otp with a bad code', { otp: { code: 'not a code!', origin: 'https://example.com' } }),
  sends('otp without an origin', { otp: { code: '123456' } }),
  sends('unknown fields', { template: 'x', context: { a: 1 }, whatever: () => {} }),
  sends('attachDataUrls', {
    html: '<p>a <img src="data:image/png;base64,iVBORw0KGgo="> b</p>',
    attachDataUrls: true,
  }),
  sends(
    'attachDataUrls of the transport',
    { html: '<img src="data:image/gif;base64,R0lGODlh">' },
    { options: { attachDataUrls: true } },
  ),
  sends('raw string', { raw: 'From: a@example.com\nTo: b@example.com\n\nhello\n.\nworld' }),
  sends('raw Buffer', { raw: Buffer.from('From: x\r\n\r\n8bit \xff\xfe', 'latin1') }),
  sends('raw stream', () => ({ raw: stream('From: x\r\n', '\r\nbody\r\n') })),
  sends('raw with an envelope', {
    raw: 'Subject: r\r\n\r\nx',
    envelope: { from: 'e@example.com', to: 'f@example.com' },
  }),
  sends('raw without recipients', { to: undefined, raw: 'To: inside@example.com\r\n\r\nx' }),
  sends('dkim', { dkim }),
  sends('dkim with options', {
    html: '<p>x</p>',
    dkim: { keys: [dkim], headerFieldNames: 'from:to', hashAlgo: 'sha256' },
  }),
  sends('dkim of the transport', {}, { options: { dkim } }),
  sends('dkim with skipFields', { dkim: { ...dkim, skipFields: 'message-id:date' } }),
];
