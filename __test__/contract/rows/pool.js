'use strict';

/** The pool: who goes when, when it is idle, when it is clear, how it ends, how a message is called back. */

const { FIN, RST, SILENCE, after } = require('../../support/servers');

const ONE = { maxConnections: 1 };
const slow = (ms) => ({ replies: { body: after(ms, '250 2.0.0 queued') } });
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const pending = ({ transporter }) => transporter.transporter.pendingCount();

/** Hands over `count` messages at once, noting the pool's state at every step. */
const burst = (count) => async (ctx, transporter) => {
  ctx.note('at first', transporter.isIdle(), pending(ctx));
  let done = 0;
  const finished = new Promise((resolve) => {
    for (let i = 1; i <= count; i += 1) {
      transporter.sendMail({ ...ctx.message, subject: `number ${i}` }, (err) => {
        ctx.note('done', i, err?.message ?? 'sent', transporter.isIdle(), pending(ctx));
        done += 1;
        if (done === count) resolve();
      });
      ctx.note('queued', i, transporter.isIdle(), pending(ctx));
    }
  });
  await finished;
  await wait(20);
  ctx.note('at last', transporter.isIdle(), pending(ctx));
};
const bursts = (name, count, options, row) => ({
  name,
  options,
  events: ['idle', 'clear', 'error'],
  run: burst(count),
  ...row,
});

/** Sends one after the other and says how many connections that took. */
const sequence =
  (count, pause = 0) =>
  async (ctx) => {
    const outcomes = [];
    for (let i = 0; i < count; i += 1) {
      outcomes.push(await ctx.send({ subject: `number ${i}` }));
      if (pause) await wait(pause);
    }
    return outcomes.map((outcome) => (outcome.info ? 'sent' : outcome));
  };

/** Starts `count` sends, runs `act`, and tells what became of them. */
const during =
  (count, act, ms = 30) =>
  async (ctx, transporter) => {
    const sends = Array.from({ length: count }, (_, i) => ctx.send({ subject: `number ${i}` }));
    await ctx.until(() => ctx.server.connections.some(({ commands }) => commands.includes('DATA')));
    await wait(ms);
    const returned = act(ctx, transporter);
    ctx.note('then', transporter.isIdle(), pending(ctx));
    return [await Promise.all(sends), typeof returned];
  };

const aborts = (name, make) => ({
  name: `signal ${name}`,
  options: ONE,
  run: async (ctx, transporter) => {
    const controller = new AbortController();
    const outcome = await make(ctx, controller, transporter);
    await wait(20);
    return [outcome, await ctx.send({ subject: 'and on' }), pending(ctx)];
  },
  wire: 'messages',
});

module.exports = [
  bursts('one message', 1),
  bursts('five messages over one connection', 5, ONE),
  bursts(
    'as many messages as connections',
    2,
    { maxConnections: 2 },
    {
      run: async (ctx, t) => {
        await burst(2)(ctx, t);
        ctx.timeline = ctx.timeline.map((line) => line.replace(/^done \d/, 'done'));
      },
    },
  ),
  bursts('messages that fail', 3, ONE, { server: { replies: { RCPT: '550 5.1.1 no' } } }),
  {
    name: 'the first idle comes by itself',
    server: false,
    events: ['idle'],
    options: (ctx, base) => ({ ...base, port: 1 }),
    run: async (ctx, transporter) => {
      ctx.note('made', transporter.isIdle());
      await wait(20);
    },
  },
  {
    name: 'no first idle when the pool is full by then',
    options: ONE,
    events: ['idle'],
    run: async (ctx, transporter) => {
      const sends = [ctx.send(), ctx.send()];
      ctx.note('full', transporter.isIdle());
      await Promise.all(sends);
      await wait(20);
    },
  },
  {
    name: 'the documented loop: while idle, send the next',
    options: { maxConnections: 2 },
    wire: 'messages',
    run: async (ctx, transporter) => {
      const waiting = Array.from({ length: 12 }, (_, i) => ({
        ...ctx.message,
        subject: `number ${i}`,
        messageId: `<${i}@example.com>`,
      }));
      const sent = [];
      await new Promise((resolve) => {
        transporter.on('idle', () => {
          while (transporter.isIdle() && waiting.length) {
            transporter.sendMail(waiting.shift(), (err, info) => {
              sent.push(info.messageId);
              if (sent.length === 12) resolve();
            });
          }
        });
      });
      return sent.sort();
    },
  },
  { name: 'maxMessages', options: { ...ONE, maxMessages: 2 }, run: sequence(5) },
  { name: 'maxMessages 1', options: { ...ONE, maxMessages: 1 }, run: sequence(3) },
  {
    name: 'maxMessages counts failures',
    options: { ...ONE, maxMessages: 2 },
    server: { replies: { RCPT: '550 no' } },
    run: sequence(4),
  },
  {
    name: 'never more than maxConnections',
    options: { maxConnections: 3 },
    server: slow(20),
    wire: 'messages',
    run: async (ctx) => {
      await Promise.all(Array.from({ length: 12 }, () => ctx.send()));
      return ctx.server.connections.length;
    },
  },
  {
    name: 'a free connection is used before a new one is opened',
    run: async (ctx) => [await sequence(3, 10)(ctx), ctx.server.connections.length],
  },
  {
    name: 'first in, first out',
    options: ONE,
    wire: 'messages',
    run: async (ctx) => {
      await Promise.all([1, 2, 3, 4].map((i) => ctx.send({ subject: `number ${i}` })));
      return ctx.server.messages.map(({ body }) => body.match(/^Subject: .*/m)[0]);
    },
  },
  { name: 'rateLimit with room', options: { rateLimit: 100, rateDelta: 1000 }, run: sequence(3) },
  {
    name: 'idleTimeout closes, and clear is told',
    options: { idleTimeout: 50 },
    events: ['clear', 'idle'],
    run: async (ctx) => {
      const sent = await ctx.send();
      await ctx.until(() => ctx.timeline.some((line) => line.includes('clear')));
      return [sent, await ctx.send()];
    },
  },
  {
    name: 'idleTimeout 0 keeps',
    options: { idleTimeout: 0 },
    run: async (ctx) => [await sequence(2, 80)(ctx), ctx.server.connections.length],
  },
  {
    name: 'the server closes an idle connection, and clear is told',
    events: ['clear', 'error'],
    server: { replies: { body: ['250 2.0.0 ok', after(20, FIN)] } },
    run: async (ctx) => {
      const sent = await ctx.send();
      await ctx.until(() => ctx.timeline.some((line) => line.includes('clear')));
      return sent;
    },
  },
  {
    name: 'socketTimeout closes an idle connection',
    options: { socketTimeout: 60 },
    events: ['clear', 'error'],
    run: async (ctx) => {
      const sent = await ctx.send();
      await ctx.until(() => ctx.timeline.some((line) => line.includes('clear')));
      return [sent, await ctx.send()];
    },
  },
  { name: 'socketCloseTimeout', options: { socketCloseTimeout: 0 } },

  { name: 'close with nothing done', run: (ctx, t) => [t.close(), t.close(), t.isIdle()].map(() => 'fine') },
  {
    name: 'send after close',
    run: async (ctx, t) => [t.close() && 0, await ctx.send(), pending(ctx)].slice(1),
  },
  {
    name: 'send with a callback after close',
    run: async (ctx, t) => {
      t.close();
      return ctx.called((done) => ctx.note('returned', typeof t.sendMail(ctx.message, done)));
    },
  },
  {
    name: 'close lets a delivery finish',
    options: ONE,
    server: slow(100),
    run: during(1, (ctx, t) => void t.close()),
  },
  {
    name: 'close with force ends a delivery',
    options: ONE,
    server: slow(2000),
    run: during(1, (ctx, t) => void t.close({ force: true })),
  },
  {
    name: 'close twice, then with force',
    options: ONE,
    server: slow(2000),
    run: during(1, (ctx, t) => {
      t.close();
      t.close();
      t.close({ force: true });
    }),
  },
  { name: 'verify after close', run: async (ctx, t) => (t.close(), ctx.outcome(t.verify())) },
  { name: 'verify', run: (ctx, t) => ctx.outcome(t.verify()) },
  {
    name: 'verify with a callback',
    run: (ctx, t) => ctx.called((done) => ctx.note('returned', typeof t.verify(done))),
  },
  {
    name: 'verify fails',
    server: { replies: { greeting: '554 no' } },
    run: (ctx, t) => ctx.outcome(t.verify()),
  },
  {
    name: 'verify fails with a callback',
    server: { replies: { greeting: '554 no' } },
    run: (ctx, t) => ctx.called((done) => t.verify(done)),
  },
  {
    name: 'verify and a silent server',
    options: { greetingTimeout: 100 },
    server: { replies: { greeting: SILENCE } },
    run: (ctx, t) => ctx.outcome(t.verify()),
  },
  {
    name: 'verify and a reset',
    server: { replies: { EHLO: RST } },
    run: (ctx, t) => ctx.outcome(t.verify()),
  },
  {
    name: 'verify and a close',
    server: { replies: { connect: FIN } },
    run: (ctx, t) => ctx.outcome(t.verify()),
  },
  {
    name: 'verify beside messages',
    options: ONE,
    server: slow(30),
    wire: 'messages',
    run: async (ctx, t) => [
      await Promise.all([ctx.send(), ctx.outcome(t.verify()), ctx.send()]),
      ctx.server.connections.length,
    ],
  },

  {
    name: 'sendMail with a callback',
    run: (ctx, t) => ctx.called((done) => ctx.note('returned', typeof t.sendMail(ctx.message, done))),
  },
  {
    name: 'sendMail that fails, with a callback',
    server: { replies: { MAIL: '550 no' } },
    run: (ctx, t) => ctx.called((done) => t.sendMail(ctx.message, done)),
  },
  {
    name: 'sendMail returns a promise',
    run: (ctx, t) => {
      const promise = t.sendMail(ctx.message);
      return promise.then((info) => [Object.prototype.toString.call(promise), info.messageId]);
    },
  },
  {
    name: 'many messages at once',
    options: { maxConnections: 4, maxMessages: 7 },
    wire: 'messages',
    run: async (ctx) => {
      const outcomes = await Promise.all(
        Array.from({ length: 60 }, (_, i) => ctx.send({ messageId: `<${i}@example.com>` })),
      );
      return [outcomes.filter((outcome) => outcome.info).length, ctx.server.messages.length];
    },
  },

  aborts('before', (ctx, controller) => (controller.abort(), ctx.send({ signal: controller.signal }))),
  aborts(
    'before, with a reason',
    (ctx, controller) => (controller.abort(new Error('my reason')), ctx.send({ signal: controller.signal })),
  ),
  aborts('at once', (ctx, controller) => {
    const sending = ctx.send({ signal: controller.signal });
    controller.abort();
    return sending;
  }),
  aborts('while waiting', async (ctx, controller) => {
    ctx.server.script = slow(60);
    const first = ctx.send();
    const second = ctx.send({ signal: controller.signal, subject: 'waiting' });
    await wait(30);
    controller.abort();
    return [await second, await first];
  }),
  aborts('while being delivered', async (ctx, controller) => {
    ctx.server.script = { replies: { MAIL: SILENCE } };
    ctx.server.connections.forEach((session) => (session.script = ctx.server.script));
    const sending = ctx.send({ signal: controller.signal });
    await ctx.until(() =>
      ctx.server.connections.some(({ commands }) => commands.some((line) => /^MAIL/.test(line))),
    );
    ctx.server.script = {};
    controller.abort('a string');
    return sending;
  }),
  aborts('after it was sent', async (ctx, controller) => {
    const sent = await ctx.send({ signal: controller.signal });
    controller.abort();
    return sent;
  }),
  aborts('that is none', (ctx) => ctx.send({ signal: { aborted: true } })),
  aborts('with a time limit', (ctx) => {
    ctx.server.script = { replies: { MAIL: SILENCE } };
    const sending = ctx.send({ signal: AbortSignal.timeout(50) });
    return sending.finally(() => (ctx.server.script = {}));
  }),
  aborts('during a plugin', (ctx, controller, transporter) => {
    transporter.use('compile', (mail, done) => {
      if (mail.data.signal) controller.abort();
      setTimeout(done, 10);
    });
    return ctx.send({ signal: controller.signal });
  }),
];
