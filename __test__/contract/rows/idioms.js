'use strict';

/** Uses of nodemailer as programs out there have them: loops, wrappers, stubs, subclasses, odd options. */

const { EventEmitter, once } = require('node:events');
const util = require('node:util');
const { ADDED_ERROR_FIELDS, libraries } = require('../../support/compare');

const ONE = { maxConnections: 1 };

/** A module below the library's `lib/`. */
const sub = (ctx, name) =>
  ctx.file === libraries.nodemailer
    ? require(`nodemailer/lib/${name}`)
    : require(`../../../lib/doors/${name}`);

/** `name: message` of what a function throws, or its value. */
function attempt(call) {
  try {
    return call();
  } catch (err) {
    return `throws ${err.name}`;
  }
}

/** What is the same of an info on every run. */
const brief = ({ accepted, response }) => `${accepted} ${response}`;

/** A row in which `run` gives what is compared, over one connection unless options say otherwise. */
const idiom = (name, run, row) => ({ name, options: ONE, run, ...row });

/** Feeds `count` messages from the listener that `listen` installs; resolves when all are called back. */
const feed = (count, listen) => (ctx, transporter) =>
  new Promise((resolve) => {
    const queue = Array.from({ length: count }, (_, i) => ({ ...ctx.message, subject: `number ${i}` }));
    let done = 0;
    const sent = (err, info) => {
      ctx.note(err ? err.message : info.response);
      done += 1;
      if (done === count) resolve(queue.length);
    };
    listen(transporter, queue, sent);
  });

const loops = [
  idiom(
    'a loop in idle',
    feed(12, (transporter, queue, sent) => {
      transporter.on('idle', () => {
        while (transporter.isIdle() && queue.length) transporter.sendMail(queue.shift(), sent);
      });
    }),
    { options: { maxConnections: 3 }, wire: 'messages' },
  ),
  idiom(
    'an async listener of idle that awaits each message',
    feed(5, (transporter, queue, sent) => {
      let busy = false;
      transporter.on('idle', async () => {
        if (busy) return;
        busy = true;
        while (queue.length) sent(null, await transporter.sendMail(queue.shift()));
        transporter.close();
      });
    }),
  ),
  idiom(
    'a listener for each message, once',
    feed(4, (transporter, queue, sent) => {
      for (const message of queue.splice(0)) {
        transporter.once('idle', () => {
          if (transporter.isIdle()) transporter.sendMail(message, sent);
        });
      }
    }),
    { wire: 'messages' },
  ),
  idiom(
    'one message for each idle',
    feed(6, (transporter, queue, sent) => {
      transporter.on('idle', () => queue.length && transporter.sendMail(queue.shift(), sent));
    }),
  ),
  idiom('events.once waits for idle', async (ctx, transporter) => {
    const args = await once(transporter, 'idle');
    return [args, transporter.isIdle(), brief(await transporter.sendMail(ctx.message))];
  }),
  idiom('a loop with await, closed in finally', async (ctx, transporter) => {
    const infos = [];
    try {
      for (let i = 0; i < 3; i += 1) {
        infos.push(brief(await transporter.sendMail({ ...ctx.message, subject: `n ${i}` })));
      }
    } finally {
      transporter.close();
    }
    return [infos, await ctx.send()];
  }),
  idiom('allSettled with one that is refused', async (ctx, transporter) => {
    const to = ['a@example.com', '', 'c@example.com'];
    const settled = await Promise.allSettled(to.map((to) => transporter.sendMail({ ...ctx.message, to })));
    return settled.map(({ status, reason }) => [status, reason?.code]);
  }),
];

const listeners = [
  idiom('listeners are removed and everything still sends', async (ctx, transporter) => {
    transporter.on('idle', () => ctx.note('never'));
    transporter.removeAllListeners();
    return [brief(await transporter.sendMail(ctx.message)), transporter.eventNames()];
  }),
  idiom('events of a fresh transporter', (ctx, transporter) => [
    transporter.eventNames(),
    transporter.transporter.eventNames(),
    transporter.listenerCount('idle'),
    transporter.transporter.listenerCount('idle'),
    transporter.getMaxListeners(),
  ]),
  idiom('on gives the transporter, and other events pass', (ctx, transporter) => {
    transporter.on('mine', (...args) => ctx.note('mine', ...args));
    return [
      transporter.on('idle', () => {}) === transporter,
      transporter.emit('mine', 1),
      transporter.emit('no'),
    ];
  }),
  idiom('an error event without a listener throws', (ctx, transporter) =>
    attempt(() => transporter.emit('error', new Error('mine'))),
  ),
  idiom('errors of the transport reach the transporter', (ctx, transporter) => {
    transporter.on('error', (err) => ctx.note('error', err.message));
    transporter.transporter.emit('error', new Error('mine'));
  }),
];

const wrappers = [
  idiom('promisify and bind', async (ctx, transporter) =>
    brief(await util.promisify(transporter.sendMail).bind(transporter)(ctx.message)),
  ),
  idiom('bind and promisify', async (ctx, transporter) =>
    brief(await util.promisify(transporter.sendMail.bind(transporter))(ctx.message)),
  ),
  idiom('promisify alone fails', async (ctx, transporter) => {
    const { error, value } = await ctx.outcome(util.promisify(transporter.sendMail)(ctx.message));
    return [error?.name, value];
  }),
  idiom('sendMail taken off its object fails', (ctx, transporter) => {
    const { sendMail } = transporter;
    return attempt(() => sendMail(ctx.message, () => {}));
  }),
  idiom('a Proxy around the transporter', async (ctx, transporter) => {
    const seen = new Proxy(transporter, {
      get: (target, key, receiver) => (ctx.note(String(key)), Reflect.get(target, key, receiver)),
    });
    const info = await seen.sendMail(ctx.message);
    ctx.timeline = ctx.timeline.slice(0, 1);
    return brief(info);
  }),
  idiom('an object made from the transporter', async (ctx, transporter) =>
    brief(await Object.create(transporter).sendMail(ctx.message)),
  ),
  idiom('sendMail replaced and put back', async (ctx, transporter) => {
    const original = transporter.sendMail;
    transporter.sendMail = async (message) => `stub of ${message.subject}`;
    const stubbed = await transporter.sendMail(ctx.message);
    transporter.sendMail = original;
    return [stubbed, brief(await transporter.sendMail(ctx.message))];
  }),
  idiom('sendMail is on the prototype, as stubs want it', (ctx, transporter) => [
    Object.hasOwn(transporter, 'sendMail'),
    'sendMail' in transporter,
    ['close', 'isIdle', 'verify'].map((name) => typeof transporter[name]),
    transporter.sendMail.length,
  ]),
  idiom('send of the transport, wrapped, sees the composed message', async (ctx, transporter) => {
    const { transporter: transport } = transporter;
    const send = transport.send;
    transport.send = function wrapped(mail, callback) {
      ctx.note(mail.data.subject, mail.message.getEnvelope(), mail.message.getHeader('message-id'));
      return send.call(this, mail, (err, info) => {
        ctx.note('called back', err?.message ?? info.response);
        callback(err, info);
      });
    };
    return brief(await transporter.sendMail(ctx.message));
  }),
  idiom('send of the transport, replaced', async (ctx, transporter) => {
    transporter.transporter.send = (mail, callback) =>
      callback(null, { mine: mail.message.getHeader('subject') });
    return transporter.sendMail(ctx.message);
  }),
];

const calls = [
  ...[undefined, null, false].map((callback) =>
    idiom(`sendMail with ${callback} for a callback gives a promise`, async (ctx, transporter) =>
      brief(await transporter.sendMail(ctx.message, callback)),
    ),
  ),
  ...[undefined, null, {}].map((data) =>
    idiom(`sendMail with ${JSON.stringify(data)}`, (ctx, transporter) =>
      ctx.outcome(attempt(() => transporter.sendMail(data))),
    ),
  ),
  idiom('await of a call with a callback', async (ctx, transporter) => {
    const finished = new Promise((resolve) => {
      ctx.early = transporter.sendMail(ctx.message, (err, info) => resolve([err, brief(info)]));
    });
    return [await ctx.early, await finished];
  }),
  idiom('verify with a callback gives nothing, and the transport has it too', async (ctx, transporter) => {
    const returned = [];
    const called = (target) => ctx.called((done) => returned.push(target.verify(done)));
    return [await called(transporter), await called(transporter.transporter), returned];
  }),
  idiom('verify, then, catch', async (ctx, transporter) => {
    const verified = await transporter.verify().then(
      (ok) => `ready ${ok}`,
      (err) => err.code,
    );
    return [verified, brief(await transporter.sendMail(ctx.message))];
  }),
  idiom(
    'what an error looks like in a log',
    async (ctx, transporter) => {
      const { error } = await ctx.outcome(transporter.sendMail({ ...ctx.message, to: 'nobody@example.com' }));
      const fields = Object.fromEntries(
        Object.entries(error).filter(([key]) => !ADDED_ERROR_FIELDS.includes(key)),
      );
      return [`${error}`, fields, error instanceof Error, /^Error: .*\n +at /.test(error.stack), error.name];
    },
    { server: { replies: { RCPT: '550 5.1.1 no such user' } } },
  ),
  idiom('what an info looks like in a log', async (ctx, transporter) => {
    const info = await transporter.sendMail(ctx.message);
    const text = JSON.stringify(info).replace(/(Time":)\d+/g, '$1"ms"');
    return [text, ctx.library.getTestMessageUrl(info), Object.getPrototypeOf(info) === Object.prototype];
  }),
];

const messages = [
  idiom('one message object, sent twice, is as it was', async (ctx, transporter) => {
    const message = { ...ctx.message, headers: { 'X-Mine': '1' }, to: ['a@example.com', 'b@example.com'] };
    const before = JSON.stringify(message);
    await transporter.sendMail(message);
    await transporter.sendMail(message);
    return [JSON.stringify(message) === before, Object.keys(message)];
  }),
  idiom(
    'an attachment, sent twice',
    async (ctx, transporter) => {
      const attachments = [
        { filename: 'a.txt', content: 'text' },
        { path: 'data:text/plain;base64,aGVsbG8=' },
      ];
      const message = { ...ctx.message, attachments };
      await transporter.sendMail(message);
      await transporter.sendMail(message);
      return attachments.map((attachment) => Object.keys(attachment).join(' '));
    },
    {
      difference: 'attachment-stays',
      theirs: ({ outcome }) => expect(outcome[1]).toBe('path content contentType'),
      ours: ({ outcome, messages }) => {
        expect(outcome).toEqual(['filename content', 'path']);
        expect(messages).toHaveLength(2);
        expect(messages[1].body).toContain('aGVsbG8=');
      },
    },
  ),
  idiom('a message that is frozen', (ctx) =>
    ctx.send(Object.freeze({ to: Object.freeze(['a@example.com']), headers: Object.freeze({ a: 'b' }) })),
  ),
  idiom('a message without a prototype', (ctx, transporter) =>
    ctx.outcome(transporter.sendMail(Object.assign(Object.create(null), ctx.message))),
  ),
  idiom('a message of a class: own fields count, getters of its prototype do not', (ctx, transporter) => {
    class Notice {
      constructor(fields) {
        Object.assign(this, fields);
      }
      get subject() {
        return 'inherited';
      }
      set subject(_) {}
      get text() {
        return 'inherited';
      }
      set text(_) {}
    }
    return ctx.outcome(transporter.sendMail(new Notice(ctx.message)));
  }),
  idiom('fields that are undefined, null or empty', (ctx) =>
    ctx.send({ cc: undefined, bcc: null, replyTo: '', attachments: [], headers: undefined, html: null }),
  ),
  idiom('strings that are String objects, numbers as text', (ctx) =>
    ctx.send({ subject: Object('boxed'), text: 12345, headers: { 'X-Number': 7, 'X-No': false } }),
  ),
  idiom(
    'defaults that change after the transporter was made',
    async (ctx, transporter) => {
      transporter._defaults.subject = 'changed';
      const message = { ...ctx.message };
      delete message.subject;
      return ctx.outcome(transporter.sendMail(message));
    },
    { defaults: { subject: 'first', headers: { 'X-Default': 'yes' } } },
  ),
];

const options = [
  idiom(
    'options of the transporter are the ones given',
    (ctx) => {
      const given = { pool: true, host: '127.0.0.1', port: ctx.port, auth: { user: 'me', pass: 'secret' } };
      ctx.transporter = ctx.library.createTransport(given);
      const { options: own, transporter } = ctx.transporter;
      return [
        own === given,
        own.auth.user,
        transporter.options.auth.user,
        transporter.options.maxConnections,
      ];
    },
    { bare: true, wire: false },
  ),
  idiom('a second transporter from the options of the first', async (ctx, transporter) => {
    const second = ctx.library.createTransport({ ...transporter.options, maxConnections: 2 });
    const outcome = brief(await second.sendMail(ctx.message));
    second.close();
    return [outcome, second.transporter.options.maxConnections, JSON.stringify(second.options)];
  }),
  idiom('options that are frozen', (ctx) => ctx.send(), {
    options: (ctx, base) => Object.freeze({ ...base, tls: Object.freeze({}), auth: Object.freeze({}) }),
  }),
  idiom('options that are inherited', (ctx) => ctx.send(), {
    options: (ctx, base) => Object.create({ ...base, name: 'inherited.example' }),
  }),
  idiom('a port that is text, limits without end', (ctx) => ctx.send(), {
    options: (ctx, base) => ({ ...base, port: String(ctx.port), maxMessages: Infinity, maxConnections: '2' }),
  }),
  idiom('options of an older nodemailer', (ctx) => ctx.send(), {
    options: {
      secureConnection: false,
      maxConnections: null,
      maxMessages: 0,
      tls: { rejectUnauthorize: false },
    },
  }),
  idiom('options in the wrong place', (ctx) => ctx.send(), {
    options: { tls: { rejectUnauthorized: false, ignoreTLS: false, requireTLS: true, secure: false } },
    server: { starttls: true },
  }),
];

const classes = [
  idiom('a transporter is a Mail, and its transport a pool', (ctx, transporter) => [
    transporter instanceof sub(ctx, 'mailer'),
    transporter instanceof EventEmitter,
    transporter.transporter instanceof sub(ctx, 'smtp-pool'),
    transporter.transporter instanceof EventEmitter,
    transporter.transporter.mailer === transporter,
  ]),
  idiom(
    "a Mail of one's own around the transport",
    async (ctx, transporter) => {
      const Mail = sub(ctx, 'mailer');
      class Mine extends Mail {
        sendMail(message, callback) {
          ctx.note('mine', message.subject);
          return super.sendMail(message, callback);
        }
      }
      const mail = new Mine(transporter.transporter, { attachDataUrls: true }, { subject: 'default' });
      return brief(await mail.sendMail({ ...ctx.message, html: '<img src="data:image/png;base64,AAAA">' }));
    },
    { wire: 'messages' },
  ),
  idiom(
    "nodemailer's pool itself, as a transport",
    async (ctx) => {
      const SMTPPool = sub(ctx, 'smtp-pool');
      const pool = new SMTPPool({ host: '127.0.0.1', port: ctx.port, maxConnections: 1 });
      ctx.transporter = ctx.library.createTransport(pool);
      return [brief(await ctx.transporter.sendMail(ctx.message)), ctx.transporter.transporter === pool];
    },
    { bare: true },
  ),
  idiom(
    "a transport of one's own",
    async (ctx) => {
      const send = (mail, callback) => callback(null, { subject: mail.data.subject, mine: true });
      ctx.transporter = ctx.library.createTransport(
        { name: 'mine', version: '1', send },
        { subject: 'default' },
      );
      return ctx.transporter.sendMail({ to: 'a@example.com' });
    },
    { bare: true, wire: false },
  ),
  idiom(
    'what can be printed of a transporter',
    (ctx, transporter) => [
      /secret/.test(util.inspect(transporter, { depth: 0 })),
      attempt(() => typeof JSON.stringify(transporter)),
      `${transporter}`,
    ],
    { options: { auth: { user: 'me', pass: 'secret' } }, wire: false },
  ),
];

module.exports = [...loops, ...listeners, ...wrappers, ...calls, ...messages, ...options, ...classes];
