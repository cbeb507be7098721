'use strict';

const url = require('nodemailer/lib/shared/url');
const { normaliseTls } = require('./tls');

/** Protocols of a proxy URL and what they are spoken as, with the port where none is given. */
const KINDS = {
  'http:': { kind: 'http', port: 80 },
  'https:': { kind: 'https', port: 443 },
  'socks:': { kind: 'socks5', port: 1080 },
  'socks5:': { kind: 'socks5', port: 1080 },
  'socks4:': { kind: 'socks4', port: 1080 },
  'socks4a:': { kind: 'socks4', port: 1080 },
};

/**
 * Turns a transport's `proxy` option into plain fields for the engine, parsed as nodemailer does.
 *
 * @param {object} options nodemailer's transport options: `proxy`, and of `tls` what concerns an
 *   HTTPS proxy
 * @returns {{native: object|undefined}|{fallback: string}} the fields, or why nodemailer has to open
 *   the connection. Credentials are in the fields: do not log them.
 * @throws {TypeError} for a URL that is none, as nodemailer does when the transport is created
 */
function normaliseProxy(options) {
  if (!options.proxy || typeof options.proxy !== 'string') {
    return { native: undefined };
  }
  const parsed = url.parse(options.proxy);
  const known = Object.hasOwn(KINDS, parsed.protocol) && KINDS[parsed.protocol];
  if (!known) {
    return { fallback: `proxy ${parsed.protocol}` };
  }
  const native = {
    kind: known.kind,
    host: parsed.hostname || 'localhost',
    port: Number(parsed.port) || known.port,
    username: parsed.username || undefined,
    password: parsed.password || undefined,
  };
  return known.kind === 'https' ? overTls(native, options) : { native };
}

/** An HTTPS proxy is verified by Node's default roots unless `tls.rejectUnauthorized` is false. */
function overTls(native, options) {
  const rejectUnauthorized = options.tls?.rejectUnauthorized !== false;
  const towardsProxy = normaliseTls({ tls: { rejectUnauthorized } });
  if (towardsProxy.fallback) {
    return towardsProxy;
  }
  return { native: { ...native, tls: towardsProxy.native } };
}

module.exports = { normaliseProxy };
