'use strict';

const crypto = require('node:crypto');
const tls = require('node:tls');
const { defaultRoots } = require('./tls-roots');
const { Foreign, foreign } = require('./tls-foreign');

const VERSIONS = ['TLSv1.2', 'TLSv1.3'];

/** Cipher suites the engine has, in OpenSSL's names. */
const CIPHERS = new Set([
  'TLS_AES_256_GCM_SHA384',
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-CHACHA20-POLY1305',
]);

/** Exclusions that leave every suite above in the list. */
const EXCLUSIONS = new Set(
  ['aNULL', 'eNULL', 'NULL', 'EXPORT', 'EXP', 'LOW', 'DES', '3DES', 'RC4', 'RC2', 'MD5', 'SHA1', 'PSK', 'SRP']
    .concat(['DSS', 'CAMELLIA', 'SEED', 'IDEA', 'kRSA', 'DH', 'kDHE', 'ADH', 'AECDH'])
    .map((name) => `!${name}`),
);

/** What nobody has changed. Bun's and Deno's list is not the one among their constants. */
const BUILT_IN_CIPHERS =
  process.versions.bun || process.versions.deno
    ? tls.DEFAULT_CIPHERS
    : (crypto.constants.defaultCoreCipherList ?? tls.DEFAULT_CIPHERS);

const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** Options that are read here. */
const READ = new Set([
  ...['ca', 'cert', 'key', 'passphrase', 'rejectUnauthorized', 'servername', 'minVersion', 'maxVersion'],
  ...['ciphers', 'ALPNProtocols', 'secureOptions'],
]);

/** Options of servers, and of key exchanges the engine does not offer: no difference to a client. */
const WITHOUT_EFFECT = new Set([
  ...['honorCipherOrder', 'sessionTimeout', 'ticketKeys', 'requestCert', 'sessionIdContext'],
  ...['handshakeTimeout', 'minDHSize', 'requestOCSP'],
  // nodemailer's own options in the wrong place, and a misspelt one: Node's TLS knows none of them.
  ...['secure', 'secureConnection', 'ignoreTLS', 'requireTLS', 'opportunisticTLS', 'rejectUnauthorize'],
]);

/** `secureOptions` that forbid what the engine does not do anyway. */
const HARMLESS_BITS =
  crypto.constants.SSL_OP_NO_SSLv2 |
  crypto.constants.SSL_OP_NO_SSLv3 |
  crypto.constants.SSL_OP_NO_TLSv1 |
  crypto.constants.SSL_OP_NO_TLSv1_1 |
  crypto.constants.SSL_OP_NO_COMPRESSION;

/**
 * Turns a transport's TLS options into plain fields for the engine, with Node's defaults and
 * environment in them.
 *
 * @param {object} options nodemailer's transport options: `tls` and `servername` are read
 * @returns {{native: object}|{fallback: string}} the fields, or why only Node's own TLS can honour
 *   the options. Nothing is dropped or weakened: what is not known to have no effect is a reason.
 */
function normaliseTls(options) {
  const wanted = options.tls || {};
  try {
    refuseUnknown(wanted);
    return {
      native: {
        ...trust(wanted),
        ...clientCertificate(wanted),
        ...protocol(wanted),
        servername: servername(wanted.servername || options.servername),
        alpn: alpn(wanted.ALPNProtocols),
      },
    };
  } catch (err) {
    if (err instanceof Foreign) {
      return { fallback: err.message };
    }
    throw err;
  }
}

function refuseUnknown(wanted) {
  if (typeof wanted !== 'object') {
    foreign('tls');
  }
  // Node and nodemailer copy own properties only.
  for (const key of Object.keys(wanted)) {
    if (!READ.has(key) && !WITHOUT_EFFECT.has(key) && wanted[key] != null) {
      foreign(`tls.${key}`);
    }
  }
  const bits = wanted.secureOptions ?? 0;
  if (!Number.isInteger(bits) || (bits & ~HARMLESS_BITS) !== 0) {
    foreign('tls.secureOptions');
  }
}

/** Whom to trust: `ca` instead of Node's default roots, as Node has it. */
function trust(wanted) {
  // An option that is present counts even if it is undefined; only then is the environment silent.
  const rejectUnauthorized =
    'rejectUnauthorized' in wanted
      ? wanted.rejectUnauthorized !== false
      : process.env.NODE_TLS_REJECT_UNAUTHORIZED !== '0';
  if (!rejectUnauthorized) {
    return { rejectUnauthorized };
  }
  if (wanted.ca) {
    return { rejectUnauthorized, ca: [].concat(wanted.ca).map((ca) => plainPem(ca, 'tls.ca')) };
  }
  return { rejectUnauthorized, roots: defaultRoots() };
}

/** A certificate and its key, whatever form the key has; or none. */
function clientCertificate(wanted) {
  const cert = only(wanted.cert, 'tls.cert');
  let key = only(wanted.key, 'tls.key');
  if (!cert && !key) {
    return {};
  }
  if (!cert || !key) {
    foreign(cert ? 'tls.cert without tls.key' : 'tls.key without tls.cert');
  }
  let passphrase = wanted.passphrase;
  if (!isBytes(key)) {
    passphrase = key.passphrase ?? passphrase;
    key = bytes(key.pem, 'tls.key');
  }
  const pem = plainPem(cert, 'tls.cert');
  const privateKey = parsed('tls.key', () => crypto.createPrivateKey({ key, passphrase }));
  const certificate = parsed('tls.cert', () => new crypto.X509Certificate(pem));
  if (!isUsable(privateKey) || !certificate.checkPrivateKey(privateKey)) {
    foreign('tls.key');
  }
  return { cert: pem, key: privateKey.export({ type: 'pkcs8', format: 'der' }) };
}

/** Key types rustls signs with. */
function isUsable({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }) {
  if (type === 'rsa') {
    return details.modulusLength >= 2048 && details.modulusLength <= 8192;
  }
  return type === 'ed25519' || (type === 'ec' && CURVES.has(details.namedCurve));
}

/** Versions and cipher suites, by OpenSSL's rules for the two lists in one. */
function protocol(wanted) {
  const list = wanted.ciphers || changedDefaultCiphers();
  // The class SSLv3, which many copy, has suites of TLS 1.3 and, below it, only ones the engine does
  // not have. A server without TLS 1.3 is noticed at its handshake.
  const ciphers = !list || list === 'SSLv3' ? [] : cipherList(list);
  const onlyNewest = list && ciphers.every((name) => name.startsWith('TLS_'));
  const lowest = version(wanted.minVersion ?? tls.DEFAULT_MIN_VERSION ?? 'TLSv1.2', 'tls.minVersion');
  const minVersion = onlyNewest ? 'TLSv1.3' : lowest;
  const maxVersion = version(wanted.maxVersion ?? tls.DEFAULT_MAX_VERSION ?? 'TLSv1.3', 'tls.maxVersion');
  return minVersion > maxVersion ? foreign('tls.maxVersion') : { minVersion, maxVersion, ciphers };
}

/** Node's default list where it was changed, by `--tls-cipher-list` or by assignment. */
function changedDefaultCiphers() {
  return tls.DEFAULT_CIPHERS === BUILT_IN_CIPHERS ? undefined : tls.DEFAULT_CIPHERS;
}

function version(name, option) {
  return VERSIONS.includes(name) ? name : foreign(option);
}

function cipherList(list) {
  const all = typeof list === 'string' ? list.split(':') : foreign('tls.ciphers');
  const names = all.filter((name) => name && !EXCLUSIONS.has(name));
  if (!names.length || !names.every((name) => CIPHERS.has(name))) {
    foreign('tls.ciphers');
  }
  return names;
}

function servername(name) {
  if (name && typeof name !== 'string') {
    foreign('tls.servername');
  }
  return name || undefined;
}

function alpn(protocols) {
  if (protocols == null) {
    return [];
  }
  if (!Array.isArray(protocols)) {
    foreign('tls.ALPNProtocols');
  }
  return protocols.map((protocol) => {
    const name = bytes(protocol, 'tls.ALPNProtocols');
    return name.length && name.length <= 255 ? name : foreign('tls.ALPNProtocols');
  });
}

/** The one element of an option that may be a list. */
function only(value, option) {
  if (!Array.isArray(value)) {
    return value;
  }
  return value.length > 1 ? foreign(option) : value[0];
}

/** PEM with certificates under the usual label; OpenSSL knows two more. */
function plainPem(value, option) {
  const pem = bytes(value, option);
  return /-----BEGIN (TRUSTED|X509) CERTIFICATE-----/.test(pem.toString('latin1')) ? foreign(option) : pem;
}

function isBytes(value) {
  return typeof value === 'string' || ArrayBuffer.isView(value);
}

function bytes(value, option) {
  if (typeof value === 'string') {
    return Buffer.from(value);
  }
  return ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : foreign(option);
}

/** What Node cannot read is left to Node, which says so in its own words. */
function parsed(option, parse) {
  try {
    return parse();
  } catch {
    return foreign(option);
  }
}

module.exports = { normaliseTls };
