'use strict';

const crypto = require('node:crypto');
const { Readable } = require('node:stream');
const MailMessage = require('nodemailer/lib/mailer/mail-message');
const { compose } = require('../../binding.js');
const { toRecord } = require('../../lib/record');
const { corpus } = require('./corpus');
const { compare, ours } = require('./compare');

const MAILER = { options: {}, _defaults: {} };
const record = (data, mailer = MAILER) => toRecord(new MailMessage(mailer, data));
const raw = ({ text, parts }) => compose(text, parts).raw.toString();

function frozen(value) {
  if (value && typeof value === 'object' && !Buffer.isBuffer(value)) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}

describe('a record', () => {
  test.each(Object.keys(corpus))('of "%s" leaves the caller’s objects alone', (name) => {
    // nodemailer itself completes data.headers, which is not what is tested here
    const data = { headers: {}, ...corpus[name]((file) => `/tmp/${file}`, undefined) };
    delete data.dkim;
    expect(record(frozen(data)).reason).toBeUndefined();
  });

  test('gives the same octets each time it is composed', () => {
    const once = record({ from: 'a@b.example', to: 'c@d.example', text: 'x', html: '<p>é</p>' });
    expect(raw(once)).toBe(raw(once));
    expect(raw(once)).toMatch(/^Message-ID: <[0-9a-f-]{36}@b\.example>\r$/m);
  });

  test('is one of its own', () => {
    const data = { from: 'a@b.example', text: 'x', html: 'y' };
    expect(raw(record(data))).not.toBe(raw(record(data)));
  });

  test('carries large strings and buffers beside it', () => {
    const content = Buffer.alloc(1e6);
    const { text, parts } = record({ text: 'x'.repeat(5000), attachments: [{ content }] });
    expect(text.length).toBeLessThan(1000);
    expect(parts).toEqual(['x'.repeat(5000), content]);
  });

  test('takes the defaults of the transport', () => {
    const mailer = { options: {}, _defaults: { from: 'default@b.example', headers: { 'X-Default': '1' } } };
    expect(raw(record({ to: 'c@d.example' }, mailer))).toMatch(
      /^X-Default: 1\r\nFrom: default@b\.example\r$/m,
    );
  });

  test('reads properties a class inherits', async () => {
    class Attachment {
      get filename() {
        return 'a.txt';
      }
      get content() {
        return 'inherited';
      }
    }
    class Body {
      get content() {
        return 'é'.repeat(10);
      }
    }
    const make = () => ({ text: new Body(), attachments: [new Attachment()] });
    const theirs = await compare(() => ({
      text: { content: 'é'.repeat(10) },
      attachments: [{ filename: 'a.txt', content: 'inherited' }],
    }));
    expect(theirs).toEqual({ path: 'native', difference: null });
    expect(raw(record(make()))).toContain(Buffer.from('inherited').toString('base64'));
  });
});

describe('hostile addresses', () => {
  const long = (text) => text.repeat(50000);

  test.each([' ', 'a ', '"a ', 'a@b-', 'a@b.', 'a@xn--', 'a.', 'a <', 'a@b.c ,', '<'])(
    'take time in proportion to their length: %j',
    (unit) => {
      const start = process.hrtime.bigint();
      record({ to: `${long(unit)}!` });
      expect(Number(process.hrtime.bigint() - start) / 1e6).toBeLessThan(2000);
    },
  );
});

describe('what goes with the transaction', () => {
  const facts = (data) => JSON.parse(record({ to: 'a@b.example', ...data }).text.split('\0')[0]);

  test('comes from the envelope and the message', () => {
    const envelope = { from: 'a@B.example', to: 'c@d.example', size: 10.5, use8BitMime: true };
    expect(facts({ envelope, requireTLSExtensionEnabled: true })).toMatchObject({
      envelope: { from: 'a@b.example', to: ['c@d.example'] },
      size: 10,
      use8BitMime: true,
      requireTls: true,
    });
  });

  test.each([
    [
      { id: 'x', return: 'headers', notify: 'success, delay', recipient: 'a@b.c' },
      { ret: 'HDRS', envid: 'x', notify: 'SUCCESS,DELAY', orcpt: 'rfc822;a@b.c' },
    ],
    [
      { ret: 'full', notify: ['never'], orcpt: 'utf-8;x' },
      { ret: 'FULL', envid: null, notify: 'NEVER', orcpt: 'utf-8;x' },
    ],
    [{}, { ret: null, envid: null, notify: null, orcpt: null }],
  ])('has %j in canonical form', (dsn, expected) => expect(facts({ dsn }).dsn).toEqual(expected));

  test.each([{ ret: 'x' }, { notify: 'never,delay' }, { notify: ['sometimes'] }, { ret: 'toString' }])(
    'is left to nodemailer when %j is refused',
    (dsn) => expect(record({ dsn })).toEqual({ reason: 'dsn' }),
  );

  test.each([
    [{ to: 'a@b.example' }, 1],
    [{ to: '"x@y" <a@b.example>, c@d.example', cc: ['e@f.example', { address: 'g@h.example' }] }, 4],
    [{ to: 'Team: a@b.example, c@d.example;', bcc: 'jürgen@e.example' }, 3],
    [{ to: 'undisclosed-recipients:;' }, 0],
    [{ to: 'a@b.example', envelope: { from: 'x@y.example', to: ['c@d.example', 'e@f.example'] } }, 2],
  ])('of %j has a number of recipients', (data, count) => {
    expect(record(data).text.split('\0')[1]).toBe(String(count));
  });

  test('is refused over maxRecipients', () => {
    const { text, parts } = record({ maxRecipients: 1, to: ['a@b.example', 'c@d.example'] });
    expect(() => compose(text, parts)).toThrow(
      'Message has 2 recipients, which is over the 1 allowed by maxRecipients',
    );
  });
});

describe('the composed path', () => {
  const attached = (attachment) => ({ attachments: [attachment] });

  test.each([
    ['stream', { text: Readable.from(['x']) }],
    ['stream', attached({ content: Readable.from(['x']) })],
    ['stream', { raw: Readable.from(['x']) }],
    ['href', attached({ href: 'https://example.com/x' })],
    ['href', attached({ path: 'https://example.com/x' })],
    ['file-access', { ...attached({ path: '/etc/hostname' }), disableFileAccess: true }],
    ['normalizeHeaderKey', { normalizeHeaderKey: (key, value) => key + value.length }],
    ['normalizeHeaderKey', { normalizeHeaderKey: (key, value = '') => key + value }],
    ['normalizeHeaderKey', { normalizeHeaderKey: (...all) => all[0] }],
    [
      'normalizeHeaderKey',
      {
        normalizeHeaderKey() {
          return arguments[0];
        },
      },
    ],
    ['content', { text: 5 }],
    ['content', attached({ content: { type: 'Buffer', data: [1] } })],
    ['attachment', { attachments: ['text'] }],
    ['filename', attached({ filename: 5, contentType: 'text/plain', content: 'x' })],
    ['message-id', { messageId: 12345 }],
    ['option', { textEncoding: 'x' }],
    ['input', { attachments: [{ filename: 5 }] }],
    ['input', { otp: { code: '', origin: 'x' } }],
    ['input', attached({ content: 'x', encoding: 'nonsense' })],
  ])('is taken for %s', (reason, data) => expect(record(data)).toEqual({ reason }));
});

describe('DKIM', () => {
  const message = { from: 'a@b.example', to: 'c@d.example', subject: 'x', text: 'y' };
  const signed = (key, rest) =>
    record({ ...message, dkim: { domainName: 'b.example', keySelector: 's', privateKey: key, ...rest } });
  const rsa = (modulusLength) => crypto.generateKeyPairSync('rsa', { modulusLength }).privateKey;
  const tags = (text) => {
    const [, value] = /^DKIM-Signature: ((?:.|\r\n )*)/.exec(text);
    const entries = value.replace(/\r\n/g, '').split(/; */);
    return Object.fromEntries(
      entries.map((tag) => tag.split(/=(.*)/s).map((text) => text.replace(/ /g, ''))),
    );
  };

  test.each([
    undefined,
    '',
    'not a key',
    crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ])('key %p fails the message before it is sent', (key) => {
    const { text, parts } = signed(key);
    expect(() => compose(text, parts)).toThrow(/^DKIM key s\._domainkey\.b\.example cannot sign: /);
  });

  test('a key shorter than the engine signs with is left to nodemailer', () => {
    expect(signed(rsa(1024))).toEqual({ reason: 'dkim-key' });
  });

  test('the message’s own options win over the transport’s', () => {
    const mailer = {
      ...MAILER,
      dkim: { options: { domainName: 'other.example', keySelector: 't', privateKey: rsa(2048) } },
    };
    expect(tags(raw(record(message, mailer))).d).toBe('other.example');
    const own = { ...message, dkim: { domainName: 'b.example', keySelector: 's', privateKey: rsa(2048) } };
    expect(tags(raw(record(own, mailer))).d).toBe('b.example');
  });

  test('every key gives a signature', () => {
    const keys = ['a', 'b'].map((keySelector) => ({
      domainName: 'b.example',
      keySelector,
      privateKey: rsa(2048),
    }));
    expect(raw(record({ ...message, dkim: { keys } })).match(/^DKIM-Signature:/gm)).toHaveLength(2);
  });

  test('Ed25519 signs the hash of the canonical headers', () => {
    const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519');
    const text = raw(signed(privateKey, { headerFieldNames: 'subject' }));
    const { a, b, bh, h } = tags(text);
    expect({ a, bh, h }).toEqual({
      a: 'ed25519-sha256',
      bh: crypto.createHash('sha256').update('y\r\n').digest('base64'),
      h: 'subject',
    });
    const unsigned = /^DKIM-Signature: ((?:.|\r\n )*?\r\n b=)/
      .exec(text)[1]
      .replace(/\r\n/g, '')
      .replace(/[ \t]+/g, ' ');
    const digest = crypto.createHash('sha256').update(`subject:x\r\ndkim-signature:${unsigned}`).digest();
    expect(crypto.verify(null, digest, publicKey, Buffer.from(b, 'base64'))).toBe(true);
  });
});

test.each([
  (key) => key.toUpperCase(),
  function lower(key) {
    return key.toLowerCase();
  },
  (key) => `${key}\r\nX`,
  () => null,
])('a function that names headers is asked for each: %p', async (normalizeHeaderKey) => {
  const make = () => ({
    normalizeHeaderKey,
    from: 'a@b.example',
    subject: 'x',
    headers: { 'x-one': 1, 'X-Two': { prepared: true, value: 'two' } },
    text: 'y',
    attachments: [{ filename: 'a.txt', content: 'z' }],
  });
  await expect(compare(make)).resolves.toEqual({ path: 'native', difference: null });
});

test('a missing file is nodemailer’s error', () => {
  expect(() => ours({ attachments: [{ path: '/nonexistent' }] }, MAILER)).toThrow(
    "ENOENT: no such file or directory, open '/nonexistent'",
  );
});
