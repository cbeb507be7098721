'use strict';

/** The transporter as an object: plugins, meta values, what hangs off it, logging, transport objects. */

const { AsyncLocalStorage } = require('node:async_hooks');
const http = require('node:http');
const { Transform } = require('node:stream');

const uses = (name, step, plugin, row) => ({
  name: `plugin ${name}`,
  run: (ctx, transporter) => {
    ctx.note('chainable', transporter.use(step, plugin(ctx)) === transporter);
    return ctx.send(row?.fields);
  },
  ...row,
});

/** Upper-cases what flows through. */
const upper = () =>
  new Transform({ transform: (chunk, _, done) => done(null, chunk.toString('latin1').toUpperCase()) });

/** A logger that keeps what it is told. */
const logger = (lines) => {
  const keep =
    (level) =>
    (entry, message, ...args) =>
      lines.push({ level, entry, message, args });
  return Object.fromEntries(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((level) => [level, keep(level)]),
  );
};
/** Logs a send and shows the records the picker wants. */
const logs = (name, pick, options, row) => ({
  name: `log ${name}`,
  options: (ctx, base) => ({ ...base, maxConnections: 1, logger: logger((ctx.lines = [])), ...options }),
  run: async (ctx) => {
    await ctx.send();
    return ctx.lines
      .filter(pick)
      .map(({ level, entry, message }) => [level, entry.tnx, message, entry.component]);
  },
  ...row,
});
const conversation = ({ entry, message }) =>
  /^(client|server)$/.test(entry.tnx) && !/RSET|QUIT/.test(message);

module.exports = [
  uses('changes the data', 'compile', () => (mail, done) => {
    mail.data.subject += ' changed';
    mail.data.html = '<b>added</b>';
    done();
  }),
  uses(
    'is asynchronous',
    'compile',
    () => (mail, done) => setTimeout(() => ((mail.data.text = 'late'), done()), 10),
  ),
  uses(
    'fails',
    'compile',
    () => (mail, done) => done(Object.assign(new Error('no'), { code: 'EMINE', extra: 1 })),
  ),
  uses('fails in the stream step', 'stream', () => (mail, done) => done(new Error('no stream'))),
  uses('throws', 'compile', () => () => {
    throw new TypeError('thrown');
  }),
  uses('throws in the stream step', 'stream', () => () => {
    throw new TypeError('thrown late');
  }),
  uses('of an unknown step', 'whenever', (ctx) => () => ctx.note('never')),
  uses('of a numeric step', 5, (ctx) => () => ctx.note('never')),
  uses('sees the message', 'compile', (ctx) => (mail, done) => {
    ctx.note(
      Object.keys(mail.data).sort(),
      mail.message === undefined || mail.message === null,
      mail.mailer === ctx.transporter,
    );
    done();
  }),
  uses('sees the compiled message', 'stream', (ctx) => (mail, done) => {
    const { message } = mail;
    ctx.note(
      message.getEnvelope(),
      message.messageId(),
      message.getHeader('subject'),
      message.getAddresses(),
      message.contentType,
    );
    done();
  }),
  uses('sets a header', 'stream', () => (mail, done) => {
    mail.message.setHeader('X-Stream', 'yes');
    mail.message.addHeader('X-Stream', 'twice');
    done();
  }),
  uses('transforms with a stream', 'stream', () => (mail, done) => (mail.message.transform(upper()), done())),
  uses('transforms with a function', 'stream', () => (mail, done) => (mail.message.transform(upper), done())),
  uses(
    'has a processFunc',
    'stream',
    () => (mail, done) => (mail.message.processFunc((input) => input.pipe(upper())), done()),
  ),
  uses(
    'sets the envelope',
    'stream',
    () => (mail, done) => (mail.message.setEnvelope({ from: 'p@example.com', to: 'q@example.com' }), done()),
  ),
  uses(
    'resolves content',
    'compile',
    (ctx) => (mail, done) =>
      mail.resolveContent(mail.data, 'html', (err, html) => {
        ctx.note('html', String(html));
        done(err);
      }),
    { fields: { html: { content: '<i>x</i>' } } },
  ),
  uses(
    'resolves content by promise',
    'compile',
    (ctx) => (mail, done) =>
      mail.resolveContent(mail.data, 'text').then((text) => {
        ctx.note('text', String(text));
        done();
      }, done),
  ),
  uses(
    'resolves all',
    'stream',
    (ctx) => (mail, done) =>
      mail.resolveAll((err, data) => {
        ctx.note(
          String(data.text),
          data.attachments.map(({ content }) => String(content)),
        );
        done(err);
      }),
    { fields: { attachments: [{ path: 'data:text/plain,inline' }] } },
  ),
  uses(
    'normalizes',
    'stream',
    (ctx) => (mail, done) =>
      mail.normalize((err, data) => {
        ctx.note(Object.keys(data).sort(), data.envelope, data.messageId, data.normalizedHeaders);
        done(err);
      }),
  ),
  uses(
    'works with attachDataUrls',
    'compile',
    (ctx) => (mail, done) => {
      ctx.note(mail.data.html.replace(/cid:[^"]+/, 'cid'), mail.data.attachments.length);
      done();
    },
    { fields: { html: '<img src="data:image/png;base64,AAAA">', attachDataUrls: true } },
  ),
  {
    name: 'plugins run in order, compile before stream',
    run: async (ctx, transporter) => {
      const step = (label) => (mail, done) => (ctx.note(label), done());
      transporter
        .use('stream', step('s1'))
        .use('compile', step('c1'))
        .use('compile', step('c2'))
        .use('stream', step('s2'));
      return [await ctx.send(), await ctx.send()];
    },
  },
  {
    name: 'a plugin that fails does not spoil the next message',
    run: async (ctx, transporter) => {
      let times = 0;
      transporter.use('compile', (mail, done) => done(times++ ? null : new Error('first only')));
      return [await ctx.send(), await ctx.send()];
    },
  },
  {
    name: 'set, get and meta',
    run: (ctx, transporter) => {
      ctx.note(
        typeof transporter.set('mine', { a: 1 }),
        transporter.get('mine'),
        transporter.get('other') === undefined,
      );
      return transporter.meta;
    },
  },
  {
    name: 'what hangs off a transporter',
    defaults: { replyTo: 'r@example.com' },
    run: ({ transporter: t }) => [
      t.transporter.mailer === t,
      t.transporter.supportsAbortSignal,
      t.transporter.name,
      typeof t.transporter.idling,
      t.dkim,
      Object.keys(t.options),
      Object.keys(t._defaults),
      typeof t.logger.info,
      typeof t.transporter.logger.info,
      t.meta.size,
      Object.keys(t._userPlugins),
      Object.keys(t._defaultPlugins),
      t.listenerCount('idle'),
      t.transporter.listenerCount('idle'),
      typeof t.transporter.getSocket,
      typeof t.transporter.send,
      typeof t.transporter.close,
      typeof t.setupProxy,
    ],
  },
  {
    name: 'a transporter is a Mail of nodemailer',
    run: ({ transporter }) => transporter instanceof require('nodemailer/lib/mailer'),
  },
  {
    name: 'getVersionString has the shape',
    run: ({ transporter: t }) =>
      /^\S+ \(\d+\.\d+\.\d+; \+https?:\S+; SMTP \(pool\)\/\S+\)$/.test(t.getVersionString()),
  },
  {
    name: 'the transport sends a duck-typed message',
    run: (ctx, transporter) =>
      ctx.called((done) => {
        const { Readable } = require('node:stream');
        const message = {
          getEnvelope: () => ({ from: 'duck@example.com', to: ['pond@example.com'] }),
          messageId: () => '<quack@example.com>',
          getHeader: (name) => (name === 'message-id' ? '<quack@example.com>' : undefined),
          createReadStream: () => Readable.from([Buffer.from('Subject: quack\r\n\r\n.quack\r\n')]),
        };
        ctx.note('returned', transporter.transporter.send({ data: {}, message }, done));
      }),
  },

  {
    name: 'events of the transport come through the transporter',
    options: { maxConnections: 2 },
    run: async (ctx, transporter) => {
      for (const event of ['idle', 'clear', 'error', 'log', 'other']) {
        transporter.on(event, (...args) => ctx.note(event, ...args.map(String)));
      }
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      const { transporter: transport } = transporter;
      for (const event of ['idle', 'clear', 'other']) transport.emit(event, 'an argument');
      transport.emit('error', new Error('trouble'));
      transport.emit('log', { type: 'a', message: 'b' });
    },
  },
  {
    name: 'sendMail keeps the asynchronous context',
    run: async (ctx, transporter) => {
      const storage = new AsyncLocalStorage();
      const one = storage.run(
        'one',
        async () => (await transporter.sendMail(ctx.message), storage.getStore()),
      );
      const two = storage.run('two', () => ctx.send().then(() => storage.getStore()));
      return [await one, await two];
    },
  },
  {
    name: 'createTestAccount',
    server: false,
    bare: true,
    prepare: (ctx) =>
      new Promise((resolve) => {
        const account = { status: 'success', user: 'u', pass: 'p', smtp: {}, web: 'https://web.example' };
        ctx.api = http.createServer((req, res) => {
          let body = '';
          req
            .on('data', (chunk) => (body += chunk))
            .on('end', () => {
              ctx.note(req.method, req.url, Object.keys(JSON.parse(body)));
              res.end(JSON.stringify(account));
            });
        });
        ctx.api.listen(0, '127.0.0.1', resolve);
      }),
    cleanup: (ctx) => ctx.api.close(),
    run: async (ctx) => {
      const { library } = ctx;
      const account = await library.createTestAccount(`http://127.0.0.1:${ctx.api.address().port}`);
      const again = await new Promise((resolve) => library.createTestAccount((err, found) => resolve(found)));
      return [
        account,
        again === account,
        library.getTestMessageUrl({ response: '250 ok [STATUS=new MSGID=x]' }),
      ];
    },
    isolated: true,
  },

  logs('of the conversation', conversation, { transactionLog: true }),
  logs('of the conversation under debug', conversation, { debug: true }),
  logs('of the message under debug', ({ entry }) => entry.tnx === 'message', { debug: true }),
  logs(
    'hides secrets',
    conversation,
    { transactionLog: true, auth: { user: 'user', pass: 'secret' } },
    { server: { auth: {} } },
  ),
  logs(
    'hides secrets in LOGIN',
    conversation,
    { transactionLog: true, auth: { user: 'user', pass: 'secret', method: 'LOGIN' } },
    { server: { auth: {} } },
  ),
  logs(
    'of a send',
    ({ entry }) => ['send', 'create', 'transport'].includes(entry.tnx),
    {},
    { mask: [[/\(.*\)|SMTP \(pool\)\/\S+/g, 'version']] },
  ),
  logs(
    'of an error',
    ({ level }) => level === 'error' || level === 'warn',
    {},
    { server: { replies: { MAIL: '550 no' } } },
  ),
  logs("with a component of one's own", ({ entry }) => entry.tnx === 'send', { component: 'mine' }),
  { name: 'a logger with few levels', options: { logger: { info() {}, error() {} }, debug: true } },
  { name: 'logger false', options: { logger: false, debug: true } },
];
