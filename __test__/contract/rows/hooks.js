'use strict';

/** Sockets and proxies of the caller's own. */

const net = require('node:net');
const tls = require('node:tls');
const { startProxy, identity, pem } = require('../../support/servers');

const connect = (ctx) =>
  new Promise((resolve) => {
    const socket = net.connect(ctx.port, '127.0.0.1', () => resolve(socket));
  });
const twice = async (ctx) => [await ctx.send(), await ctx.send()];
const through = (kind, script) => ({
  prepare: async (ctx) => (ctx.proxy = await startProxy({ kind, target: ctx.port, ...script })),
  cleanup: (ctx) => ctx.proxy.close(),
  options: (ctx, base) => ({ ...base, proxy: `${kind}://127.0.0.1:${ctx.proxy.port}` }),
  run: async (ctx) => [
    await ctx.send(),
    ctx.proxy.requests.map((request) => request.replace(/:\d+/g, ':port')),
  ],
});
/** A getSocket that opens a connection and notes what it was asked. */
const opens =
  (ctx, extra = {}) =>
  (options, callback) => {
    ctx.note('asked', options.host, options.port === ctx.port, typeof options.connectStartedAt);
    connect(ctx).then((connection) => callback(null, { connection, ...extra }));
  };

/** What ends nodemailer's process is an error here. */
const crashes = {
  isolated: true,
  wire: false,
  difference: 'bad-input-is-an-error',
  theirs: ({ outcome }) => expect(outcome).toMatch(/the process dies/),
  ours: ({ outcome }) => expect(outcome.error ?? outcome.thrown).toBeTruthy(),
};

module.exports = [
  {
    name: 'getSocket that gives a connection',
    options: (ctx, base) => ({ ...base, getSocket: opens(ctx) }),
    run: twice,
  },
  {
    name: 'getSocket that gives nothing',
    options: { getSocket: (options, callback) => callback(null, false) },
  },
  {
    name: 'getSocket that fails',
    options: {
      getSocket: (options, callback) => callback(Object.assign(new Error('no socket'), { code: 'EMINE' })),
    },
    run: twice,
  },
  {
    name: 'getSocket that gives a connection that needs TLS',
    server: { secure: true },
    options: (ctx, base) => ({
      ...base,
      host: 'localhost',
      secure: true,
      tls: { ca: pem('ca') },
      getSocket: opens(ctx),
    }),
  },
  {
    name: 'getSocket changes an option',
    options: (ctx, base) => ({ ...base, getSocket: opens(ctx, { name: 'from.getsocket' }) }),
  },
  {
    name: 'getSocket and verify',
    options: (ctx, base) => ({ ...base, getSocket: opens(ctx) }),
    run: (ctx, t) => ctx.outcome(t.verify()),
  },
  {
    name: 'getSocket set on the transporter',
    run: async (ctx, transporter) => {
      transporter.getSocket = opens(ctx);
      return twice(ctx);
    },
  },
  {
    name: 'connection',
    prepare: async (ctx) => (ctx.socket = await connect(ctx)),
    options: (ctx, base) => ({ ...base, connection: ctx.socket }),
  },
  { name: 'socket', options: (ctx, base) => ({ ...base, socket: new net.Socket() }) },

  { name: 'an HTTP proxy', ...through('http') },
  {
    name: 'an HTTP proxy with credentials',
    ...through('http'),
    options: (ctx, base) => ({ ...base, proxy: `http://us%40er:p%3Ass@127.0.0.1:${ctx.proxy.port}` }),
  },
  {
    name: 'an HTTP proxy by setupProxy',
    ...through('http'),
    options: {},
    run: async (ctx, transporter) => {
      transporter.setupProxy(`http://127.0.0.1:${ctx.proxy.port}`);
      return [await ctx.send(), ctx.proxy.requests.length];
    },
  },
  {
    name: 'an HTTP proxy and TLS',
    ...through('http'),
    server: { secure: true, tls: identity() },
    options: (ctx, base) => ({
      ...base,
      host: 'localhost',
      secure: true,
      tls: { ca: pem('ca') },
      proxy: `http://127.0.0.1:${ctx.proxy.port}`,
    }),
  },
  { name: 'an HTTP proxy that refuses', ...through('http', { status: '403 Forbidden' }) },
  {
    name: 'an HTTP proxy that wants credentials',
    ...through('http', { status: '407 Proxy Authentication Required' }),
  },
  { name: 'an HTTP proxy that is not there', options: { proxy: 'http://127.0.0.1:1' } },
  { name: 'verify through an HTTP proxy', ...through('http'), run: (ctx, t) => ctx.outcome(t.verify()) },
  { name: 'a proxy of an unknown kind', options: { proxy: 'gopher://127.0.0.1:1' } },
  {
    name: "a proxy handler of one's own",
    options: { proxy: 'mine://user:pass@proxy.example:99/path' },
    run: async (ctx, transporter) => {
      transporter.set('proxy_handler_mine', (proxy, options, done) => {
        ctx.note(proxy.protocol, proxy.hostname, proxy.port, options.host, options.port === ctx.port);
        connect(ctx).then((connection) => done(null, { connection }));
      });
      return ctx.send();
    },
  },
  {
    name: 'a proxy handler that fails',
    options: { proxy: 'mine://proxy.example' },
    run: async (ctx, transporter) => {
      transporter.set('proxy_handler_mine', (proxy, options, done) => done(new Error('handler says no')));
      return twice(ctx);
    },
  },
  { name: 'an HTTP proxy that talks nonsense', ...through('http', { raw: 'nonsense\r\n\r\n' }) },
  {
    name: 'an HTTP proxy with endless headers',
    ...through('http', { raw: `HTTP/1.1 200 ok\r\nX: ${'x'.repeat(100000)}` }),
  },
  { name: 'an HTTP proxy that closes', ...through('http', { raw: '' }) },
  {
    name: 'an HTTP proxy that is silent',
    ...through('http', { silent: true }),
    options: (ctx, base) => ({
      ...base,
      proxy: `http://127.0.0.1:${ctx.proxy.port}`,
      connectionTimeout: 200,
    }),
  },
  {
    name: 'an HTTP proxy and a host with a line break',
    ...through('http'),
    options: (ctx, base) => ({ ...base, host: 'a\r\nX: y', proxy: `http://127.0.0.1:${ctx.proxy.port}` }),
  },
  {
    name: 'an HTTP proxy url with a name that does not resolve',
    options: { proxy: 'http://does-not-exist.invalid:3128' },
  },
  { ...crashes, name: 'a proxy url that is none', options: { proxy: 'nonsense' } },
  {
    name: 'a connection that is TLS already',
    server: { secure: true },
    options: (ctx, base) => ({
      ...base,
      secure: true,
      secured: true,
      getSocket: (options, callback) => {
        const connection = tls.connect({ port: ctx.port, host: '127.0.0.1', rejectUnauthorized: false }, () =>
          callback(null, { connection }),
        );
      },
    }),
  },
  {
    name: 'a connection that closes',
    options: (ctx, base) => ({
      ...base,
      maxRequeues: 1,
      getSocket: (options, callback) =>
        connect(ctx).then((connection) => {
          connection.destroy();
          callback(null, { connection });
        }),
    }),
  },
  {
    ...crashes,
    name: 'getSocket that throws',
    options: {
      getSocket: () => {
        throw new Error('thrown by getSocket');
      },
    },
  },
];
