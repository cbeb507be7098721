'use strict';

/** Servers whose TLS only nodemailer's engine speaks, and those nobody should speak to. */

const { execFileSync } = require('node:child_process');
const { generateKeyPairSync } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { identity, pem, SILENCE } = require('../support/servers');
const { MESSAGE, start, sendMany, until } = require('../support/pool');

const OLD = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' };
const CBC = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384' };

/** A self-signed certificate for localhost with an RSA key of so many bits. */
function rsa(bits) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rsa-'));
  const [key, cert] = ['key', 'cert'].map((name) => path.join(folder, name));
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const args = ['req', '-x509', '-nodes', '-days', '2', '-newkey', `rsa:${bits}`, ...names];
  execFileSync('openssl', [...args, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const pems = { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
  fs.rmSync(folder, { recursive: true });
  return pems;
}

const LARGE = rsa(2048);
const SMALL = rsa(1024);
const WITHOUT_DH = { ...LARGE, maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256:AES256-GCM-SHA384' };
const FINITE = { ...LARGE, maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-GCM-SHA256', dhparam: 'auto' };
const trusting = { host: 'localhost', tls: { ca: pem('ca') } };

/** A logger that keeps warnings. */
const listening = () => {
  const warnings = [];
  const logger = {
    info() {},
    debug() {},
    error() {},
    warn: (_, text, ...more) => warnings.push([text, more]),
  };
  return { warnings, logger };
};

describe.each([
  ['from the first byte', { secure: true }, { secure: true }],
  ['by STARTTLS', { starttls: true }, {}],
])('%s', (_, script, options) => {
  test.each([
    ['CBC ciphers only', CBC, {}],
    ['RSA key exchange only', WITHOUT_DH, { ca: LARGE.cert, ciphers: 'AES128-GCM-SHA256' }],
    ['RSA key exchange only, and no options for it', WITHOUT_DH, { ca: LARGE.cert }],
    ['finite-field Diffie-Hellman only', FINITE, { ca: LARGE.cert }],
    ['a certificate of 1024 bits', SMALL, { ca: SMALL.cert }],
    ['a certificate of 1024 bits and TLS 1.2', { ...SMALL, maxVersion: 'TLSv1.2' }, { ca: SMALL.cert }],
    ['a certificate of 1024 bits nobody looks at', SMALL, { rejectUnauthorized: false }],
    ['TLS 1.1 that the options allow', OLD, { minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' }],
  ])('a server with %s gets everything through nodemailer, once', async (name, tls, own) => {
    const { warnings, logger } = listening();
    const { server, transporter } = await start(
      { ...script, tls: { ...identity(), ...tls } },
      { ...trusting, ...options, tls: { ...trusting.tls, ...own }, maxConnections: 2, logger },
    );
    const outcomes = await Promise.all(sendMany(transporter, 12));
    expect(outcomes).toEqual(Array(12).fill('sent'));
    expect(server.messages).toHaveLength(12);
    expect(transporter.engine).toBe('nodemailer');
    expect(warnings.filter(([text]) => /needs the TLS of nodemailer/.test(text)).length).toBeLessThanOrEqual(
      1,
    );
    expect(await Promise.all(sendMany(transporter, 2))).toEqual(['sent', 'sent']);
    expect(transporter.pendingCount()).toBe(0);
    expect(transporter.isIdle()).toBe(true);
  });

  test('verify and connections kept warm find out, too', async () => {
    const server = { ...script, tls: { ...identity(), ...CBC } };
    const verified = await start(server, { ...trusting, ...options });
    await expect(verified.transporter.verify()).resolves.toBe(true);
    expect(verified.transporter.engine).toBe('nodemailer');
    const warm = await start(server, { ...trusting, ...options, minConnections: 1 });
    await until(() => warm.transporter.engine === 'nodemailer');
    expect(await Promise.all(sendMany(warm.transporter, 2))).toEqual(['sent', 'sent']);
  });

  test('a TLS that nobody speaks fails once, as nodemailer says it', async () => {
    const { transporter } = await start(
      { ...script, tls: { ...identity(), ...OLD } },
      { ...trusting, ...options, maxConnections: 1 },
    );
    for (const err of await Promise.all(sendMany(transporter, 3))) {
      expect(err).toMatchObject({ code: 'ESOCKET', command: 'CONN' });
    }
  });

  test.each([
    ['nobody vouches for', 'self'],
    ['names another host', 'other'],
    ['has expired', 'expired'],
  ])('a certificate that %s moves nothing', async (name, certificate) => {
    const { transporter } = await start(
      { ...script, tls: identity(certificate) },
      { ...trusting, ...options, maxConnections: 1 },
    );
    await expect(transporter.sendMail(MESSAGE)).rejects.toMatchObject({ code: 'ESOCKET' });
    expect(transporter.engine).toBe('native');
  });

  test('a drain that meets such a server still sends everything', async () => {
    const { server, transporter } = await start(
      { ...script, tls: { ...identity(), ...CBC } },
      { ...trusting, ...options, maxConnections: 1 },
    );
    const sends = sendMany(transporter, 5);
    expect(await transporter.drain()).toEqual({ sent: 5, failed: 0, inDoubt: 0, remaining: 0 });
    expect(await Promise.all(sends)).toEqual(Array(5).fill('sent'));
    expect(server.messages).toHaveLength(5);
  });
});

/** An option that only nodemailer's engine has, and that changes nothing. */
const getSocket = (_, callback) => setImmediate(callback, null, false);

const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const dkim = {
  domainName: 'example.com',
  keySelector: 's2026',
  privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
};
/** What would be different each time. */
const FIXED = { date: new Date(1.7e12), messageId: '<fixed@example.com>', baseBoundary: 'fixed' };
const LONG = 'Grüße – 川沿いの道を三キロ\n.\n'.repeat(400);

describe('a message that moves is what it would have been', () => {
  test.each([
    ['plain', {}],
    [
      'with long parts, lone surrogates and attached text',
      { html: `<p>${LONG}\ud800</p>`, text: LONG, attachments: [{ filename: 'ü.txt', content: LONG }] },
    ],
    [
      'with a Buffer and a file',
      { attachments: [{ content: Buffer.from([0, 13, 255]) }, { path: __filename }] },
    ],
    [
      'that is raw',
      {
        raw: `From: a@example.com\nMessage-ID: <fixed@example.com>\n\n${LONG}`,
        envelope: { from: 'a@example.com', to: 'b@example.com' },
      },
    ],
    ['signed', { dkim }],
    ['signed, with a Buffer', { dkim, attachments: [{ content: Buffer.from('x') }] }],
    [
      'to several',
      { from: 'Ä <ä@exämple.com>', cc: ['x@example.com', 'Ŷ <y@example.com>'], bcc: 'z@example.com' },
    ],
    ['from nobody', { envelope: { from: '', to: ['x@example.com', 'X@EXAMPLE.com'] } }],
    [
      'with parameters',
      {
        envelope: { from: 'a@example.com', to: 'b@example.com', size: 1234, use8BitMime: true },
        dsn: { id: 'i+d', return: 'headers', notify: ['success', 'failure'], recipient: 'r@example.com' },
      },
    ],
    ['that wants TLS all the way', { requireTLSExtensionEnabled: true }],
    ['without an id', { messageId: undefined }],
  ])('%s', async (_, fields) => {
    const capabilities = ['PIPELINING', '8BITMIME', 'SIZE 1000000', 'DSN', 'SMTPUTF8', 'REQUIRETLS'];
    const script = { secure: true, tls: { ...identity(), ...CBC }, capabilities };
    const arrived = async (options) => {
      const { server, transporter } = await start(script, { ...trusting, secure: true, ...options });
      const info = await transporter.sendMail({ ...MESSAGE, ...FIXED, ...fields });
      expect(transporter.engine).toBe('nodemailer');
      const [{ body, from, to }] = server.messages;
      const commands = server.connections.flatMap((connection) => connection.commands);
      const said = commands.filter((line) => /^(MAIL|RCPT)/.test(line));
      expect(body.toString()).toContain(info.messageId);
      return JSON.parse(
        JSON.stringify({ body: body.toString('latin1'), from, to, said, info })
          .replaceAll(info.messageId, '<id>')
          .replace(/"(envelopeTime|messageTime)":\d+/g, '"$1":0'),
      );
    };
    const expected = await arrived({ getSocket });
    const moved = await arrived({});
    expect(moved).toEqual(expected);
    expect(Object.keys(moved.info)).toEqual(Object.keys(expected.info));
  });

  test('and still ends when its signal aborts, or when it cannot be composed', async () => {
    const script = { secure: true, tls: { ...identity(), ...CBC }, replies: { MAIL: SILENCE } };
    const { transporter } = await start(script, { ...trusting, secure: true, maxConnections: 1 });
    const controller = new AbortController();
    const abortion = transporter.sendMail({ ...MESSAGE, signal: controller.signal });
    const unsigned = { ...dkim, privateKey: 'no key' };
    await expect(transporter.sendMail({ ...MESSAGE, dkim: unsigned })).rejects.toThrow(/key/i);
    await until(() => transporter.engine === 'nodemailer');
    controller.abort('enough');
    await expect(abortion).rejects.toMatchObject({ code: 'EABORT', cause: 'enough' });
    expect(transporter.pendingCount()).toBe(0);
  });
});
