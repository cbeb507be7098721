'use strict';

/** Connection URLs, well-known services, and which of several sources of an option wins. */

/** Shows how a configuration is understood, without connecting. */
const understood = (name, configuration, defaults) => ({
  name,
  server: false,
  bare: true,
  run: ({ library }) => {
    const transporter = library.createTransport(configuration, defaults);
    const { options, transporter: transport, _defaults } = transporter;
    const view = { options, merged: transport.options, name: transport.name, _defaults };
    transporter.close();
    return view;
  },
});

const url = (configuration) => understood(`url ${configuration}`, configuration);
const object = (configuration) => understood(JSON.stringify(configuration), configuration);

/** Sends one message through a URL made for the server's port. */
const sends = (name, make, row = {}) => ({ name, options: ({ port }) => make(port), ...row });

const LOGIN = { auth: {} };

module.exports = [
  ...[
    'smtp://localhost?pool=true',
    'smtps://localhost?pool=true',
    'smtp://localhost:2525?pool=true',
    'smtps://mail.example:4650/?pool=true',
    'smtp:localhost?pool=true',
    'SMTP://LOCALHOST?pool=true',
    'direct://localhost?pool=true',
    'smtp://user:pass@localhost?pool=true',
    'smtp://user@localhost?pool=true',
    'smtp://:pass@localhost?pool=true',
    'smtp://us%40er:pa%3Ass%2F@localhost?pool=true',
    'smtp://user:pa:ss:word@localhost?pool=true',
    'smtp://user:100%@localhost?pool=true',
    'smtp://user:%zz@localhost?pool=true',
    'smtp://%F0%9F%94%91:p@localhost?pool=true',
    'smtp://[::1]:2525?pool=true',
    'smtp://[2001:db8::1]?pool=true',
    'smtp://127.0.0.1:25?pool=true',
    'smtp://m%C3%BCnchen.example?pool=true',
    'smtp://münchen.example?pool=true',
    'smtp://localhost?pool=yes',
    'smtp://localhost?pool=1',
    'smtp://localhost?pool=true&pool=true',
    'smtp://localhost?pool=true&maxConnections=3&maxMessages=7&rateLimit=2&rateDelta=500',
    'smtp://localhost?pool=true&name=client.example&localAddress=127.0.0.2',
    'smtp://localhost?pool=true&tls.rejectUnauthorized=false&tls.minVersion=TLSv1.2',
    'smtp://localhost?pool=true&tls.servername=mx.example&servername=other.example',
    'smtp://localhost?pool=true&auth.type=OAuth2&dotted.key=1',
    'smtp://localhost?pool=true&requireTLS=true&ignoreTLS=false&secure=true',
    'smtp://localhost?pool=true&port=1&host=elsewhere&maxRequeues=-1',
    'smtp://localhost?pool=true&logger=false&debug=&transactionLog=0',
    'smtp://localhost?pool=true&idleTimeout=0&socketTimeout=1e3&greetingTimeout=0x10',
    'smtp://localhost?pool=true&__proto__=1&constructor=2&tls.__proto__=3',
    'smtp://user:pass@localhost?pool=true&auth=x',
    'smtp://localhost?pool=true&service=gmail',
    'smtp://localhost?pool=true&service=unknown-service',
    'smtp://localhost?pool=true&proxy=http%3A%2F%2Fproxy.example%3A3128%2F',
    'smtp://localhost/path/ignored?pool=true#fragment',
    'smtp://?pool=true',
    'smtp:///?pool=true',
  ].map(url),
  ...[
    { pool: true },
    { pool: 1, port: 465 },
    { pool: true, port: '465' },
    { pool: true, port: '2525', host: 'mail.example', secure: false },
    { pool: true, service: 'gmail' },
    { pool: true, service: 'Gmail', host: 'mine.example', port: 26, secure: false },
    { pool: true, service: 'somebody@hotmail.com' },
    { pool: true, service: ' Out Look 365 ' },
    { pool: true, service: 'SES-eu-west-1' },
    { pool: true, service: 'no such service', host: 'mine.example' },
    { pool: true, url: 'smtp://localhost:2525' },
    { url: 'smtp://localhost:2525?pool=true', maxConnections: 2 },
    { pool: true, url: 'smtps://user:pass@localhost', host: 'ignored', secure: false, auth: { user: 'x' } },
    { pool: true, url: 'smtp://localhost', auth: { user: 'a', pass: 'b' }, tls: { servername: 'x' } },
    {
      pool: true,
      url: 'smtp://u:p@localhost?tls.ciphers=a',
      auth: { type: 'login' },
      tls: { servername: 'x' },
    },
    { pool: true, url: 'smtp://localhost', service: 'gmail' },
    { pool: true, maxConnections: '3', maxMessages: '5', maxRequeues: '2', idleTimeout: '100' },
    { pool: true, maxConnections: 0, maxMessages: 0, maxRequeues: 0, idleTimeout: 0 },
    { pool: true, maxConnections: -1, maxMessages: -1, maxRequeues: -1, idleTimeout: -1 },
    { pool: true, unknownOption: { kept: true }, newsletter: 'x' },
  ].map(object),
  understood(
    'message defaults are kept',
    { pool: true },
    { from: 'me@example.com', headers: { 'X-A': 'b' } },
  ),
  understood('maxConnections NaN', { pool: true, maxConnections: NaN, maxMessages: NaN, maxRequeues: NaN }),
  understood('the options object is not changed', Object.freeze({ pool: true, tls: Object.freeze({}) })),
  {
    name: "transporter.options is the caller's own object",
    server: false,
    bare: true,
    run: ({ library }) => {
      const mine = { pool: true };
      const transporter = library.createTransport(mine);
      transporter.close();
      return [transporter.options === mine, transporter.transporter.options === mine];
    },
  },
  sends('a url sends', (port) => `smtp://127.0.0.1:${port}/?pool=true`),
  sends('a url with credentials logs in', (port) => `smtp://user:secret@127.0.0.1:${port}/?pool=true`, {
    server: LOGIN,
  }),
  sends(
    'escaped credentials arrive unescaped',
    (port) => `smtp://us%40er:s%3Ae%2Fc%25@127.0.0.1:${port}/?pool=true`,
    {
      server: { auth: { user: 'us@er', pass: 's:e/c%' } },
    },
  ),
  sends('a numeric password in the url', (port) => `smtp://user:0123@127.0.0.1:${port}/?pool=true`, {
    server: { auth: { pass: '0123' } },
  }),
  sends('the host name localhost', (port) => `smtp://localhost:${port}/?pool=true`),
  sends('an IPv6 host in a url', (port) => `smtp://[::1]:${port}/?pool=true`, { server: { address: '::1' } }),
  sends('an IPv6 host in an option', (port) => ({ pool: true, host: '::1', port }), {
    server: { address: '::1' },
  }),
  sends('a smtps url', (port) => `smtps://127.0.0.1:${port}/?pool=true&tls.rejectUnauthorized=false`, {
    server: { secure: true },
  }),
  sends('a url beside other keys', (port) => ({
    pool: true,
    url: `smtp://127.0.0.1:${port}`,
    name: 'beside.example',
  })),
  sends('the name from a url', (port) => `smtp://127.0.0.1:${port}/?pool=true&name=query.example`),
  sends('a port as a string', (port) => ({ pool: true, host: '127.0.0.1', port: String(port) })),
];
