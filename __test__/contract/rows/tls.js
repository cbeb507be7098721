'use strict';

/** TLS from the first byte and by STARTTLS, what is trusted, and what happens when it cannot be had. */

const { pem, identity, certificates, FIN, SILENCE } = require('../../support/servers');

const ca = pem('ca');
const AUTH = { auth: { user: 'user', pass: 'secret' } };

/** OpenSSL's own words, which another TLS library cannot have; code, command and text must still be equal. */
const WORDS = {
  without: {
    difference: 'tls-error-details',
    fields: ['library', 'reason', 'host', 'localAddress', 'path', 'port'],
  },
};
const NAMES = { without: { difference: 'tls-error-details', fields: ['cert', 'host', 'reason'] } };

/** The same row for both ways into TLS. */
const both = (name, tls, row = {}) => [
  {
    name: `${name}, from the start`,
    ...row,
    options: { host: 'localhost', secure: true, tls, ...row.options },
    server: { secure: true, tls: row.serverTls },
  },
  {
    name: `${name}, by STARTTLS`,
    ...row,
    options: { host: 'localhost', tls, ...row.options },
    server: { starttls: true, tls: row.serverTls },
  },
];
const starttls = (name, replies, options = {}) => ({
  name,
  options: { host: 'localhost', tls: { ca }, ...options },
  server: { starttls: true, auth: {}, replies },
});
const certificate = (name) => ({ serverTls: identity(name) });
const clients = { serverTls: { requestCert: true, rejectUnauthorized: true, ca } };

module.exports = [
  ...both('a trusted certificate', { ca }),
  ...both('ca as a string', { ca: String(ca) }),
  ...both('ca as a list', { ca: [pem('self'), ca] }),
  ...both('an untrusted certificate', {}),
  ...both('an untrusted certificate that is allowed', { rejectUnauthorized: false }),
  ...both('a self-signed certificate', {}, certificate('self')),
  ...both('a self-signed certificate as its own ca', { ca: pem('self') }, certificate('self')),
  ...both('a certificate that has expired', { ca }, certificate('expired')),
  ...both(
    'a certificate that has expired and is allowed',
    { rejectUnauthorized: false },
    certificate('expired'),
  ),
  ...both('a certificate for another name', { ca }, { ...certificate('other'), ...NAMES }),
  ...both('tls.servername', { ca, servername: 'other.example' }, certificate('other')),
  ...both('servername', { ca }, { ...certificate('other'), options: { servername: 'other.example' } }),
  ...both('an address as host', { ca }, { options: { host: '127.0.0.1' } }),
  ...both('minVersion TLSv1.3', { ca, minVersion: 'TLSv1.3' }),
  ...both('maxVersion TLSv1.2', { ca, maxVersion: 'TLSv1.2' }),
  ...both('ALPNProtocols', { ca, ALPNProtocols: ['smtp'] }),
  ...both('a cipher by name', { ca, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }),
  ...both('a client certificate', { ca, cert: pem('client'), key: pem('client-key') }, clients),
  ...both(
    'a client certificate with an encrypted key',
    { ca, cert: pem('client'), key: pem('client-encrypted-key'), passphrase: 'secret' },
    clients,
  ),
  ...both(
    'a client certificate as pfx',
    { ca, pfx: require('node:fs').readFileSync(`${certificates}/client.pfx`), passphrase: 'secret' },
    clients,
  ),
  ...both(
    'no client certificate',
    { ca, maxVersion: 'TLSv1.2' },
    {
      wire: false,
      serverTls: { ...clients.serverTls, maxVersion: 'TLSv1.2' },
      mask: [[/\b[0-9A-F]{12,16}:error:.*/s, 'openssl']],
      ...WORDS,
    },
  ),
  ...both('checkServerIdentity', { ca, checkServerIdentity: () => new Error('I do not like this name') }),
  ...both(
    'a key that is none',
    { ca, cert: pem('client'), key: 'not a key' },
    { mask: [[/:[0-9A-F]{8}:/g, ':code:']], ...WORDS },
  ),

  {
    name: 'port 465 means secure',
    options: { tls: { ca } },
    server: false,
    bare: true,
    run: ({ library }) => library.createTransport({ pool: true, port: 465 }).transporter.options.secure,
  },
  {
    name: 'secure to a server in the clear',
    options: { secure: true, tls: { ca } },
    mask: [[/^.*SSL routines:.*wrong version number[\s\S]*$/, 'wrong version']],
    ...WORDS,
  },
  { name: 'in the clear to a secure server', options: { greetingTimeout: 300 }, server: { secure: true } },
  {
    name: 'secure and a server that closes',
    ...WORDS,
    options: { secure: true },
    server: { replies: { connect: FIN, greeting: FIN } },
  },
  {
    name: 'secure and a silent server',
    options: { secure: true, connectionTimeout: 200 },
    server: { replies: { greeting: SILENCE } },
  },
  {
    name: 'a greeting refused inside TLS',
    options: { secure: true, tls: { ca }, host: 'localhost' },
    server: { secure: true, replies: { greeting: '554 no' } },
  },

  starttls('STARTTLS and AUTH', {}, AUTH),
  starttls('ignoreTLS', {}, { ignoreTLS: true }),
  starttls('requireTLS', {}, { requireTLS: true }),
  starttls('requireTLS beats ignoreTLS', {}, { requireTLS: true, ignoreTLS: true, opportunisticTLS: true }),
  { name: 'requireTLS and a server without', options: { requireTLS: true } },
  starttls('STARTTLS refused', { STARTTLS: '454 4.7.0 not now' }),
  starttls('STARTTLS refused for good', { STARTTLS: '500 what' }),
  starttls(
    'STARTTLS refused under opportunisticTLS',
    { STARTTLS: '454 4.7.0 not now' },
    { opportunisticTLS: true },
  ),
  starttls('opportunisticTLS and an untrusted certificate', {}, { opportunisticTLS: true, tls: {} }),
  starttls('STARTTLS answered by a close', { STARTTLS: FIN }),
  starttls('STARTTLS answered by 421', { STARTTLS: ['421 4.7.0 bye', FIN] }),
  { ...starttls('STARTTLS answered, then closed', { STARTTLS: ['220 go', FIN] }), ...WORDS },
  starttls('STARTTLS answered, then silence', { STARTTLS: ['220 go', SILENCE] }, { greetingTimeout: 200 }),
  {
    name: 'STARTTLS over lmtp',
    options: { lmtp: true, host: 'localhost', tls: { ca } },
    server: { lmtp: true, starttls: true },
  },
  {
    name: 'requireTLSExtensionEnabled',
    options: { secure: true, host: 'localhost', tls: { ca } },
    server: { secure: true, capabilities: ['REQUIRETLS'] },
    message: () => ({ requireTLSExtensionEnabled: true }),
  },
  {
    name: 'requireTLSExtensionEnabled and a server without',
    options: { secure: true, host: 'localhost', tls: { ca } },
    server: { secure: true },
    message: () => ({ requireTLSExtensionEnabled: true }),
  },
  {
    name: 'verify over STARTTLS',
    options: { host: 'localhost', tls: { ca }, ...AUTH },
    server: { starttls: true, auth: {} },
    run: (ctx, transporter) => ctx.outcome(transporter.verify()),
  },
  {
    name: 'verify and an untrusted certificate',
    options: { host: 'localhost', secure: true },
    server: { secure: true },
    run: (ctx, transporter) => ctx.outcome(transporter.verify()),
  },

  // what only Node's own TLS can do: the transport works on, whichever engine that takes
  ...both('a secure context', { secureContext: require('node:tls').createSecureContext({ ca }) }),
  ...both('a cipher list in the words of OpenSSL', {
    ca,
    ciphers: 'HIGH:!aNULL:@STRENGTH',
    maxVersion: 'TLSv1.2',
  }),
  ...both('minVersion TLSv1', { ca, minVersion: 'TLSv1' }),
  ...both('a curve', { ca, ecdhCurve: 'P-384' }),
  ...both('signature algorithms', { ca, sigalgs: 'ecdsa_secp256r1_sha256' }),
  ...both('secureProtocol', { ca, secureProtocol: 'TLSv1_2_method' }),
  ...both('an empty crl list', { ca, crl: [] }),
  ...both(
    'a server with old ciphers only',
    { ca },
    {
      wire: 'messages',
      serverTls: { ciphers: 'ECDHE-ECDSA-AES128-SHA', maxVersion: 'TLSv1.2' },
    },
  ),
  ...both(
    'a server with TLS 1.1 only',
    { ca, minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    {
      wire: 'messages',
      serverTls: { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    },
  ),
  ...both('a session of the caller', { ca, session: Buffer.from('no session') }),
  {
    name: 'NODE_TLS_REJECT_UNAUTHORIZED',
    isolated: true,
    options: { secure: true, host: 'localhost' },
    server: { secure: true },
    prepare: () => (process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'),
    cleanup: () => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED,
  },
  {
    name: 'rejectUnauthorized beats NODE_TLS_REJECT_UNAUTHORIZED',
    isolated: true,
    options: { secure: true, host: 'localhost', tls: { rejectUnauthorized: true } },
    server: { secure: true },
    prepare: () => (process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'),
    cleanup: () => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED,
  },
];
