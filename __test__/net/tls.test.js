'use strict';

const { execFileSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const tls = require('node:tls');
const fc = require('fast-check');
const { normaliseTls } = require('../../lib/tls');

const PASSPHRASE = 'open sesame';

/** A key pair with a self-signed certificate. */
function identity(...newkey) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'identity-'));
  const file = (name) => path.join(folder, name);
  const args = ['req', '-x509', '-nodes', '-subj', '/CN=client', '-days', '2', ...newkey];
  execFileSync('openssl', [...args, '-keyout', file('key'), '-out', file('cert')], { stdio: 'ignore' });
  const read = (name) => fs.readFileSync(file(name), 'utf8');
  const pems = { key: read('key'), cert: read('cert') };
  fs.rmSync(folder, { recursive: true });
  return pems;
}

const native = (options) => {
  const result = normaliseTls(options);
  expect(result).not.toHaveProperty('fallback');
  return result.native;
};

describe('TLS options', () => {
  const rsa = identity('-newkey', 'rsa:2048');
  const ec = identity('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1');

  test('none given means Node’s defaults', () => {
    const { roots, ...rest } = native({});
    expect(rest).toEqual({
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      ciphers: [],
      servername: undefined,
      alpn: [],
    });
    const text = roots.toString('latin1');
    expect(text.match(/-----BEGIN CERTIFICATE-----/g).length).toBeGreaterThanOrEqual(
      tls.rootCertificates.length,
    );
    expect(native({ tls: {} }).roots).toBe(roots);
  });

  test.each([
    ['secureContext', {}],
    ['checkServerIdentity', () => undefined],
    ['session', Buffer.alloc(1)],
    ['pfx', Buffer.alloc(1)],
    ['crl', 'x'],
    ['dhparam', 'auto'],
    ['ecdhCurve', 'P-256'],
    ['sigalgs', 'RSA+SHA256'],
    ['secureProtocol', 'TLSv1_2_method'],
    ['pskCallback', () => null],
    ['lookup', () => undefined],
    ['host', 'elsewhere'],
    ['port', 1],
    ['socket', {}],
    ['minVersion', 'TLSv1'],
    ['minVersion', 'TLSv1.1'],
    ['maxVersion', 'TLSv1.1'],
    ['minVersion', 'nonsense'],
    ['ciphers', 'HIGH'],
    ['ciphers', 'DEFAULT@SECLEVEL=0'],
    ['ciphers', 'ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA'],
    ['ciphers', '!aNULL'],
    ['ciphers', ['ECDHE-RSA-AES128-GCM-SHA256']],
    ['secureOptions', crypto.constants.SSL_OP_NO_TLSv1_2],
    ['secureOptions', crypto.constants.SSL_OP_LEGACY_SERVER_CONNECT],
    ['ALPNProtocols', Buffer.from('\x04smtp')],
    ['ALPNProtocols', ['']],
    ['ALPNProtocols', ['x'.repeat(256)]],
    ['servername', 7],
    ['ca', { pem: 'x' }],
    ['ca', '-----BEGIN TRUSTED CERTIFICATE-----'],
    ['key', 'nonsense'],
    ['key', ['a', 'b']],
    ['somethingNew', true],
  ])('%s is left to Node where the engine cannot honour it: %p', (option, value) => {
    const rest = option === 'key' ? { cert: rsa.cert } : {};
    expect(normaliseTls({ tls: { [option]: value, ...rest } })).toEqual({ fallback: `tls.${option}` });
  });

  test('contradicting versions are left to Node', () => {
    expect(normaliseTls({ tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' } })).toHaveProperty(
      'fallback',
    );
    expect(normaliseTls({ tls: { ciphers: 'SSLv3', maxVersion: 'TLSv1.2' } })).toHaveProperty('fallback');
  });

  test.each([
    [{ minVersion: 'TLSv1.3' }, { minVersion: 'TLSv1.3', ciphers: [] }],
    [{ maxVersion: 'TLSv1.2' }, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }],
    [{ ciphers: 'SSLv3' }, { minVersion: 'TLSv1.3', ciphers: [] }],
    [{ ciphers: 'TLS_AES_128_GCM_SHA256' }, { minVersion: 'TLSv1.3', ciphers: ['TLS_AES_128_GCM_SHA256'] }],
    [
      { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:!aNULL:!MD5' },
      { minVersion: 'TLSv1.2', ciphers: ['ECDHE-RSA-AES128-GCM-SHA256'] },
    ],
    [{ ALPNProtocols: ['smtp', Buffer.from('x')] }, { alpn: [Buffer.from('smtp'), Buffer.from('x')] }],
    [{ secureOptions: crypto.constants.SSL_OP_NO_SSLv3 | crypto.constants.SSL_OP_NO_TLSv1 }, {}],
    [{ requestCert: true, honorCipherOrder: true, lookup: undefined }, {}],
    [{ requireTLS: true, ignoreTLS: false, secureConnection: true, rejectUnauthorize: false }, {}],
  ])('%j is honoured', (wanted, expected) => {
    expect(native({ tls: wanted })).toMatchObject({ rejectUnauthorized: true, ...expected });
  });

  test('tls.servername wins over servername, an empty one does not', () => {
    expect(native({ servername: 'a', tls: { servername: 'b' } }).servername).toBe('b');
    expect(native({ servername: 'a', tls: { servername: '' } }).servername).toBe('a');
  });

  test('ca replaces the roots, and an empty list trusts nobody', () => {
    expect(native({ tls: { ca: rsa.cert } })).toMatchObject({ ca: [Buffer.from(rsa.cert)] });
    expect(native({ tls: { ca: [rsa.cert, Buffer.from(ec.cert)] } }).ca).toHaveLength(2);
    expect(native({ tls: { ca: [] } }).ca).toEqual([]);
    expect(native({ tls: { ca: rsa.cert } })).not.toHaveProperty('roots');
  });

  describe('rejectUnauthorized', () => {
    afterEach(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED);

    test.each([
      [{}, undefined, true],
      [{}, '0', false],
      [{}, '1', true],
      [{ rejectUnauthorized: false }, undefined, false],
      [{ rejectUnauthorized: true }, '0', true],
      [{ rejectUnauthorized: undefined }, '0', true],
      [{ rejectUnauthorized: 0 }, undefined, true],
    ])('%j with the environment at %p is %p', (wanted, environment, expected) => {
      if (environment) {
        process.env.NODE_TLS_REJECT_UNAUTHORIZED = environment;
      }
      expect(native({ tls: wanted }).rejectUnauthorized).toBe(expected);
    });
  });

  describe('a client key', () => {
    const parties = { rsa, ec, ed25519: identity('-newkey', 'ed25519') };
    const encrypted = { cipher: 'aes-256-cbc', passphrase: PASSPHRASE };
    const forms = [
      ['rsa', 'pkcs1', {}],
      ['rsa', 'pkcs1', encrypted],
      ['rsa', 'pkcs8', {}],
      ['rsa', 'pkcs8', encrypted],
      ['ec', 'sec1', {}],
      ['ec', 'sec1', encrypted],
      ['ec', 'pkcs8', encrypted],
      ['ed25519', 'pkcs8', {}],
      ['ed25519', 'pkcs8', encrypted],
    ];

    test.each(forms)('of type %s as %s is read, %j', (name, type, protection) => {
      const { key, cert } = parties[name];
      const expected = crypto.createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
      const pem = crypto.createPrivateKey(key).export({ type, format: 'pem', ...protection });
      const { passphrase } = protection;
      for (const wanted of [
        { key: pem, passphrase },
        { key: [Buffer.from(pem)], passphrase },
        { key: { pem, passphrase } },
        { key: [{ pem, passphrase }], passphrase: 'wrong' },
      ]) {
        expect(native({ tls: { cert, ...wanted } })).toMatchObject({
          key: expected,
          cert: Buffer.from(cert),
        });
      }
    });

    test('that is not the certificate’s, not there or too small is left to Node', () => {
      const small = identity('-newkey', 'rsa:1024');
      const locked = crypto.createPrivateKey(rsa.key).export({ type: 'pkcs8', format: 'pem', ...encrypted });
      for (const [wanted, reason] of [
        [{ cert: rsa.cert, key: ec.key }, 'tls.key'],
        [{ cert: rsa.cert, key: locked }, 'tls.key'],
        [{ cert: rsa.cert, key: locked, passphrase: 'wrong' }, 'tls.key'],
        [small, 'tls.key'],
        [{ cert: rsa.cert }, 'tls.cert without tls.key'],
        [{ key: rsa.key }, 'tls.key without tls.cert'],
        [{ cert: 'nonsense', key: rsa.key }, 'tls.cert'],
      ]) {
        expect(normaliseTls({ tls: wanted })).toEqual({ fallback: reason });
      }
    });
  });

  test('whatever is given, it is honoured or named', () => {
    const known = ['ca', 'cert', 'key', 'passphrase', 'rejectUnauthorized', 'servername', 'minVersion'];
    const names = fc.constantFrom(...known, 'ciphers', 'ALPNProtocols', 'secureOptions', 'pfx', 'x');
    fc.assert(
      fc.property(fc.dictionary(names, fc.anything({ withBigInt: true, withTypedArray: true })), (wanted) => {
        const result = normaliseTls({ tls: wanted });
        const ways = Object.keys(result);
        expect(ways).toHaveLength(1);
        expect(result.fallback ?? result.native.minVersion).toMatch(/^(tls\.|TLSv1\.[23]$)/);
      }),
    );
  });
});

describe('Node’s own settings', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'roots-'));
  const extra = path.join(folder, 'extra.pem');
  beforeAll(() => fs.writeFileSync(extra, '-----BEGIN CERTIFICATE-----\nEXTRA\n-----END CERTIFICATE-----\n'));
  afterAll(() => fs.rmSync(folder, { recursive: true }));

  /** What a process started this way makes of no options at all. */
  function started(args, env) {
    const script = `
      const { normaliseTls } = require(${JSON.stringify(require.resolve('../../lib/tls'))});
      const { native, fallback } = normaliseTls({});
      const roots = native && native.roots.toString('latin1');
      console.log(JSON.stringify({ fallback, ...native, roots }));`;
    const stdio = ['ignore', 'pipe', 'ignore'];
    const silent = { NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', SSL_CERT_FILE: '', SSL_CERT_DIR: '' };
    const options = { env: { ...process.env, ...silent, ...env }, stdio, encoding: 'utf8' };
    return JSON.parse(execFileSync(process.execPath, [...args, '-e', script], options));
  }

  test('NODE_EXTRA_CA_CERTS is trusted besides the roots', () => {
    // Node itself lists certificates it could parse, so this one has to be real there.
    fs.writeFileSync(extra, identity('-newkey', 'rsa:2048').cert);
    const text = fs.readFileSync(extra, 'utf8').trim();
    const { roots } = started([], { NODE_EXTRA_CA_CERTS: extra });
    expect(roots.replace(/\s/g, '')).toContain(text.replace(/\s/g, ''));
    expect(roots.length).toBeGreaterThan(tls.rootCertificates.join('\n').length);
  });

  test('a file of NODE_EXTRA_CA_CERTS that is not there changes nothing', () => {
    const missing = path.join(folder, 'missing.pem');
    expect(started([], { NODE_EXTRA_CA_CERTS: missing }).roots).toBe(started([], {}).roots);
  });

  test('--use-openssl-ca reads OpenSSL’s file', () => {
    fs.writeFileSync(extra, 'the bundle');
    const env = { SSL_CERT_FILE: extra };
    expect(started(['--use-openssl-ca'], env).roots).toBe('the bundle');
    expect(started([], { ...env, NODE_OPTIONS: '--use-openssl-ca' }).roots).toBe('the bundle');
    expect(started(['--use-openssl-ca'], { SSL_CERT_DIR: folder }).fallback).toBe('SSL_CERT_DIR');
  });

  test('older versions and other ciphers allowed by a flag are left to Node', () => {
    expect(started(['--tls-min-v1.0'], {}).fallback).toBe('tls.minVersion');
    expect(started(['--tls-max-v1.2'], {}).maxVersion).toBe('TLSv1.2');
    expect(started(['--tls-cipher-list=AES128-SHA'], {}).fallback).toBe('tls.ciphers');
  });
});
