'use strict';

const { normaliseProxy } = require('../../lib/proxy');

describe('a proxy URL', () => {
  test.each([
    ['http://proxy.example:3128', { kind: 'http', host: 'proxy.example', port: 3128 }],
    ['http://proxy.example', { kind: 'http', host: 'proxy.example', port: 80 }],
    ['HTTP://Proxy.Example:80/path', { kind: 'http', host: 'proxy.example', port: 80 }],
    ['http://[::1]:3128', { kind: 'http', host: '::1', port: 3128 }],
    ['http://u:p%40w@h:1', { kind: 'http', host: 'h', port: 1, username: 'u', password: 'p@w' }],
    ['http://u@h:1', { kind: 'http', host: 'h', port: 1, username: 'u' }],
    ['http://:p@h:1', { kind: 'http', host: 'h', port: 1, password: 'p' }],
    ['socks5://u:p@h:9050', { kind: 'socks5', host: 'h', port: 9050, username: 'u', password: 'p' }],
    ['socks://h', { kind: 'socks5', host: 'h', port: 1080 }],
    ['socks4://h:1', { kind: 'socks4', host: 'h', port: 1 }],
    ['socks4a://u@h:1', { kind: 'socks4', host: 'h', port: 1, username: 'u' }],
    ['socks5:h:9050', { kind: 'socks5', host: 'h', port: 9050 }],
    [' socks5://h:9050\n', { kind: 'socks5', host: 'h', port: 9050 }],
  ])('%s is read as nodemailer reads it', (proxy, expected) => {
    expect(normaliseProxy({ proxy }).native).toEqual(expected);
  });

  test('an HTTPS proxy is verified by Node’s roots, whatever tls.ca says of the server', () => {
    const tls = { ca: 'of the server', servername: 'server.example', minVersion: 'TLSv1' };
    const { native } = normaliseProxy({ proxy: 'https://h', tls });
    expect(native).toMatchObject({ kind: 'https', host: 'h', port: 443, tls: { rejectUnauthorized: true } });
    expect(native.tls).not.toHaveProperty('ca');
    expect(native.tls.servername).toBeUndefined();
    const trusting = normaliseProxy({ proxy: 'https://h', tls: { rejectUnauthorized: false } });
    expect(trusting.native.tls.rejectUnauthorized).toBe(false);
  });

  test('the environment does not make an HTTPS proxy trusted, as in nodemailer', () => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      expect(normaliseProxy({ proxy: 'https://h' }).native.tls.rejectUnauthorized).toBe(true);
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
  });

  test('a protocol that needs a handler is left to nodemailer', () => {
    expect(normaliseProxy({ proxy: 'ftp://h' })).toEqual({ fallback: 'proxy ftp:' });
    expect(normaliseProxy({ proxy: 'socks5h://h' })).toEqual({ fallback: 'proxy socks5h:' });
  });

  test('no proxy is no proxy', () => {
    for (const proxy of [undefined, '', false, {}]) {
      expect(normaliseProxy({ proxy })).toEqual({ native: undefined });
    }
  });

  test('a URL that is none throws when it is read, as in nodemailer', () => {
    expect(() => normaliseProxy({ proxy: 'http://a b' })).toThrow('Invalid URL');
  });
});
