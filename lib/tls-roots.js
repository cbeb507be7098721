'use strict';

const fs = require('node:fs');
const tls = require('node:tls');
const { foreign } = require('./tls-foreign');

/** Where distributions keep the bundle OpenSSL reads by default. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** The joined roots and the list they were made from. */
let joined = { list: null, pem: null };

/**
 * The certificates Node trusts by default, as one PEM text. Where Node can list them
 * (`tls.getCACertificates`) that list counts, with `NODE_EXTRA_CA_CERTS`, `--use-system-ca` and
 * `tls.setDefaultCACertificates()` in it. Older versions are followed by hand.
 *
 * @returns {Buffer} the same object as long as the roots stay the same
 */
function defaultRoots() {
  const usesOpenssl = usesOpensslStore();
  if (!usesOpenssl && typeof tls.getCACertificates === 'function') {
    return join(tls.getCACertificates('default'), () => []);
  }
  if (hasFlag('--use-system-ca')) {
    foreign('--use-system-ca');
  }
  const list = usesOpenssl ? SYSTEM_BUNDLES : tls.rootCertificates;
  return join(list, () => extraCertificates());
}

function join(list, extra) {
  if (joined.list !== list) {
    const pems = list === SYSTEM_BUNDLES ? [opensslBundle()] : list;
    joined = { list, pem: Buffer.from([...pems, ...extra()].join('\n')) };
  }
  return joined.pem;
}

/** Node warns about a file it cannot read and goes on. */
function extraCertificates() {
  const file = process.env.NODE_EXTRA_CA_CERTS;
  return [file && read(file)].filter(Boolean);
}

function read(file) {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

/** Whether OpenSSL's own store stands for the bundled one: by flag, or as Node was built. */
function usesOpensslStore() {
  const defines = process.config?.target_defaults?.defines || [];
  const builtIn = defines.includes('NODE_OPENSSL_CERT_STORE') && !hasFlag('--use-bundled-ca');
  return hasFlag('--use-openssl-ca') || builtIn;
}

function opensslBundle() {
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: directory } = process.env;
  if (!file && directory) {
    foreign('SSL_CERT_DIR');
  }
  const found = (file ? [file] : SYSTEM_BUNDLES).map(read).find(Boolean);
  return found || foreign('--use-openssl-ca');
}

function hasFlag(flag) {
  return process.execArgv.includes(flag) || (process.env.NODE_OPTIONS || '').split(/\s+/).includes(flag);
}

module.exports = { defaultRoots };
