'use strict';

/** Servers whose TLS only nodemailer's engine speaks, and those nobody should speak to. */

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { identity, pem } = require('../support/servers');
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
