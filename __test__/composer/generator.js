'use strict';

const { addresses, mailbox } = require('./addresses');
const { Random, body, nasty } = require('./texts');

const TYPES = [
  'text/plain',
  'text/html',
  'text/csv; charset=utf-8',
  'TEXT/PLAIN; charset=iso-8859-1',
  'application/pdf',
  'image/png',
  'image/jpeg; name="x y.jpg"',
  'message/rfc822',
  'message/delivery-status',
  'multipart/mixed',
  'multipart/form-data; boundary="my boundary"',
  'application/octet-stream',
  'text/plainx',
  'application/json; a=b; c',
  'text/plain (comment); x="q\\"uote"',
  "application/x; title*0*=utf-8''%C3%BC; title*1=x",
  'weird',
  'text/',
  'application/ü',
  'a/b; p="' + 'x'.repeat(90) + '"; q=ü',
];
const ENCODINGS = [
  'utf8',
  'utf-8',
  'UTF-8',
  'base64',
  'hex',
  'latin1',
  'ascii',
  'us-ascii',
  'binary',
  'utf16le',
  'base64url',
];
const TRANSFER = [
  'base64',
  'quoted-printable',
  '7bit',
  '8bit',
  'binary',
  'BASE64',
  ' Quoted-Printable ',
  false,
  '',
  'x-custom',
];

function bytes(random) {
  const length = random.chance(0.02) ? 70000 + random.int(70000) : random.int(400);
  const buffer = Buffer.alloc(length);
  for (let i = 0; i < length; i++) {
    buffer[i] = random.int(random.chance(0.5) ? 256 : 128);
  }
  return buffer;
}

function filename(random) {
  return random.chance(0.6)
    ? random.pick([
        'report.pdf',
        'photo.jpg',
        'a b.txt',
        'übersicht.xlsx',
        'x.unknown',
        'noext',
        '.hidden',
        'many.dots.tar.gz',
        'long-' + 'name'.repeat(25) + '.pdf',
        'Ünïcödé 😀 ' + 'lang '.repeat(12) + '.docx',
        "it's.txt",
        '-dash.txt',
        'q"uote.txt',
        'back\\slash.txt',
      ])
    : nasty(random);
}

function content(random, files) {
  switch (random.int(7)) {
    case 0:
      return { content: bytes(random) };
    case 1:
      return {
        content: random.chance(0.5) ? body(random) : bytes(random).toString('base64'),
        encoding: random.pick(ENCODINGS),
      };
    case 2:
      return { path: random.pick(files) };
    case 3:
      return {
        [random.pick(['path', 'href'])]: random.pick([
          'data:image/png;base64,iVBORw0KGgo=',
          'data:,hello%20w%C3%B6rld',
          'data:text/html;charset=utf-8,<b>x</b>',
          'data:text/plain;base64,w7w=',
          'data:;base64,AAAA',
          'DATA:x,y',
          'data:nope',
        ]),
      };
    case 4:
      return {
        raw: random.pick([
          `Content-Type: text/plain\r\n\r\n${body(random)}`,
          bytes(random),
          { path: random.pick(files) },
        ]),
      };
    default:
      return { content: body(random) };
  }
}

const KEYS = [
  'X-Custom',
  'x-lower',
  'X-SMTPAPI',
  'x-my-id',
  'List-Unsubscribe',
  'DKIM-Foo',
  'mime-version',
  'Content-Type',
  'content-transfer-encoding',
  'Content-Disposition',
  'Content-ID',
  'subject',
  'To',
  'from',
  'Reply-To',
  'Bcc',
  'message-id',
  'Date',
  'References',
  'In-Reply-To',
  'X-Priority',
  'Content-Features',
  'X-SPF',
  'arc-seal',
  'bimi-selector',
  'x:y z',
  'x\r\ny',
  'Ünïcode',
  '',
  'otp-token',
  'received-md5',
  '__proto__',
  '5',
  'toString',
];

function headerValue(random) {
  switch (random.int(10)) {
    case 0:
      return { prepared: random.chance(0.7), foldLines: random.chance(0.5), value: nasty(random) };
    case 1:
      return random.times(3, () => nasty(random));
    case 2:
      return random.pick([
        0,
        1,
        true,
        false,
        null,
        undefined,
        new Date(0),
        { value: 'x' },
        {},
        [],
        ['a', ['b', 'c']],
      ]);
    case 3:
      return mailbox(random);
    default:
      return nasty(random);
  }
}

function headers(random) {
  // nodemailer ends the process over a structured header without a value
  const crashes = (key, value) => /^content-(type|disp)/i.test(key) && !value && typeof value !== 'string';
  const pairs = random
    .times(5, () => [random.pick(KEYS), headerValue(random)])
    .filter(([key, value]) => !crashes(key, value));
  if (random.chance(0.3)) {
    return pairs.map(([key, value]) => ({ key, value }));
  }
  return Object.fromEntries(pairs);
}

function attachment(random, files) {
  const result = content(random, files);
  const add = (key, p, make) => random.chance(p) && (result[key] = make());
  add('filename', 0.7, () => (random.chance(0.1) ? false : filename(random)));
  add('contentType', 0.3, () => random.pick(TYPES));
  add('cid', 0.25, () => random.pick(['logo@x', '<img1>', 'ü', nasty(random)]));
  add('contentTransferEncoding', 0.15, () => random.pick(TRANSFER));
  add('contentDisposition', 0.1, () =>
    random.pick(['inline', 'attachment', 'inline; filename=other.txt; size=5', 'ATTACHMENT']),
  );
  add('headers', 0.15, () => headers(random));
  return result;
}

function textual(random, files) {
  switch (random.int(8)) {
    case 0:
      return bytes(random);
    case 1:
      return {
        ...content(random, files),
        ...(random.chance(0.3) && { contentTransferEncoding: random.pick(TRANSFER) }),
      };
    case 2:
      return nasty(random);
    default:
      return body(random);
  }
}

function event(random, files) {
  return random.chance(0.4)
    ? 'BEGIN:VCALENDAR\r\nEND:VCALENDAR'
    : {
        ...content(random, files),
        ...(random.chance(0.5) && { method: random.pick(['request', 'CANCEL', ' reply ']) }),
        ...(random.chance(0.4) && { filename: filename(random) }),
        ...(random.chance(0.3) && { headers: { 'X-Cal': nasty(random) } }),
      };
}

function list(random) {
  const value = () =>
    random.pick([
      'https://example.com/u',
      'u@example.com',
      'example.com',
      { url: 'x@y.z', comment: nasty(random) },
      { url: nasty(random) || 'x', comment: 'plain' },
    ]);
  return Object.fromEntries(
    random.times(3, () => [
      random.pick(['unsubscribe', 'help', 'ID', 'post', 'X y']),
      random.pick([value(), [value(), value()], [[value(), value()]]]),
    ]),
  );
}

function envelope(random) {
  return {
    from: random.pick(['a@b.com', '', 'root', addresses(random)]),
    to: random.pick([['x@y.com', 'X@Y.com'], 'a@b.com', 'root', addresses(random)]),
    ...(random.chance(0.2) && { cc: addresses(random), bcc: 'z@z.com' }),
    ...(random.chance(0.2) && { size: 1000, use8BitMime: true }),
  };
}

/**
 * The message of a seed. `files` are paths of readable files. The result shares nothing with an
 * earlier one of the same seed: nodemailer changes what it is given.
 */
function generate(seed, files, keys = []) {
  const random = new Random(seed);
  const data = {};
  const add = (key, p, make) => random.chance(p) && (data[key] = make());
  add('from', 0.9, () => addresses(random));
  add('to', 0.9, () => addresses(random));
  add('cc', 0.2, () => addresses(random));
  add('bcc', 0.2, () => addresses(random));
  add('sender', 0.1, () => addresses(random));
  add('replyTo', 0.2, () => addresses(random));
  add('subject', 0.9, () =>
    random.chance(0.03) ? random.pick([5, ['a'], { value: 'x' }, true]) : nasty(random),
  );
  add('messageId', 0.5, () => random.pick(['<id@x>', 'plain@x', '<\u00fc@x>', nasty(random)]));
  add('inReplyTo', 0.15, () => random.pick(['<a@b>', nasty(random)]));
  add('references', 0.15, () =>
    random.pick(['<a@b> <c@d>', ['<a@b>', 'c@d'], 'a b <c d>', [nasty(random), nasty(random)]]),
  );
  add('date', 0.3, () =>
    random.pick([new Date(1e12), 'Mon, 1 Jan 2024 00:00:00 +0000', new Date(NaN), nasty(random)]),
  );
  add('text', 0.7, () => textual(random, files));
  add('html', 0.6, () => textual(random, files));
  add('amp', 0.05, () => textual(random, files));
  add('watchHtml', 0.05, () => textual(random, files));
  add('icalEvent', 0.07, () => event(random, files));
  add('alternatives', 0.08, () => random.times(2, () => attachment(random, files)));
  add('attachments', 0.4, () => random.times(4, () => attachment(random, files)));
  add('raw', 0.02, () =>
    random.pick(['From: a@b\r\n\r\nx', 'no headers', bytes(random), { path: random.pick(files) }]),
  );
  add('headers', 0.4, () => headers(random));
  add('encoding', 0.05, () => random.pick(TRANSFER));
  add('textEncoding', 0.15, () => random.pick(['base64', 'quoted-printable', 'Q', 'b', ' B']));
  add('baseBoundary', 0.1, () => random.pick(['bound', 'b\r\nx', 'ü', 'x'.repeat(80), 'with space', '"q']));
  add('boundaryPrefix', 0.05, () => random.pick(['--pre', 'p\n', 'ä', '']));
  add('newline', 0.1, () => random.pick(['win', 'unix', '\n', '\r\n', 'Windows']));
  add('priority', 0.1, () => random.pick(['high', 'LOW', 'normal', 'x']));
  add('xMailer', 0.05, () => random.pick(['Acme 1.0', nasty(random)]));
  add('list', 0.1, () => list(random));
  add('otp', 0.03, () => ({
    code: random.pick(['123456', 'a"b\\c']),
    origin: random.pick(['https://example.com', 'https://m\u00fcnchen.de/x']),
  }));
  add('envelope', 0.1, () => envelope(random));
  add('dkim', keys.length ? 0.1 : 0, () => ({
    domainName: random.pick(['example.com', 'm\u00fcnchen.de', 'a;b=c.de']),
    keySelector: random.pick(['mail', 's\r\nx']),
    privateKey: random.pick(keys),
    ...(random.chance(0.3) && {
      headerFieldNames: random.pick(['From:To:Subject', 'subject: x-custom :subject:nope', '']),
    }),
    ...(random.chance(0.3) && { skipFields: random.pick(['date:message-id', 'FROM']) }),
    ...(random.chance(0.1) && { hashAlgo: 'sha512' }),
  }));
  return data;
}

module.exports = { generate };
