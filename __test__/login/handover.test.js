'use strict';

/** Servers whose TLS only nodemailer's engine speaks, and those nobody should speak to. */

const { identity, pem } = require('../support/servers');
const { MESSAGE, start, sendMany } = require('../support/pool');

const OLD = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' };
const CBC = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384' };
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
