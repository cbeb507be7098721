'use strict';

/**
 * Where postpool is meant to differ: each row shows what nodemailer does and what postpool does
 * instead. docs/differences.md explains them under the same names.
 */

const { execFile } = require('node:child_process');
const { startProxy, FIN, SILENCE, after } = require('../../support/servers');

const ONE = { maxConnections: 1 };
const count = (ctx, pattern) =>
  ctx.server.connections.flatMap(({ commands }) => commands).filter((line) => pattern.test(line)).length;
const all = (ctx, number, fields = {}) =>
  Promise.all(Array.from({ length: number }, (_, i) => ctx.send({ subject: `number ${i}`, ...fields })));
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A row of one difference; its name starts with the name of the difference. */
const differs = (difference, what, row) => ({
  name: `${difference}: ${what}`,
  difference,
  wire: 'messages',
  ...row,
});

/** Fails a message after its end, before its end, or with a refusal, and looks at the error. */
const phase = (what, replies, expected, row) =>
  differs('phases', what, {
    server: { replies },
    run: async (ctx) => {
      const { error } = await ctx.send(row?.fields);
      return [error.phase, error.maybeDelivered, error.enhancedCode];
    },
    theirs: ({ outcome }) => expect(outcome).toEqual(['{undefined}', '{undefined}', '{undefined}']),
    ours: ({ outcome }) => expect(outcome).toEqual(expected),
    ...row,
  });

module.exports = [
  phase('a refused connection', { greeting: '554 5.3.2 no' }, ['greeting', false, '5.3.2']),
  phase('EHLO refused', { EHLO: '500 a', HELO: '500 b' }, ['ehlo', false, '{undefined}']),
  phase('nobody listens', {}, ['connect', false, '{undefined}'], {
    options: (ctx, base) => ({ ...base, port: 1 }),
  }),
  phase('a refused login', { AUTH: '535 5.7.8 no' }, ['auth', false, '5.7.8'], {
    options: { auth: { user: 'user', pass: 'wrong' } },
    server: { auth: {}, replies: { AUTH: '535 5.7.8 no' } },
  }),
  phase('STARTTLS refused', {}, ['tls', false, '4.7.0'], {
    server: { starttls: true, replies: { STARTTLS: '454 4.7.0 no' } },
  }),
  phase('a refused sender', { MAIL: '550 5.7.1 no' }, ['envelope', false, '5.7.1']),
  phase('no recipients', {}, ['envelope', false, '{undefined}'], { fields: { to: undefined } }),
  phase('a refused message', { body: '554 5.6.0 spam' }, ['rejected', false, '5.6.0']),
  phase('no answer to the end of a message', { body: FIN }, ['in-doubt', true, '{undefined}']),
  phase('silence after the end of a message', { body: SILENCE }, ['in-doubt', true, '{undefined}'], {
    options: { socketTimeout: 100 },
  }),
  phase('a close before the end of a message', { DATA: FIN }, ['data', false, '{undefined}'], {
    options: { maxRequeues: 0 },
  }),

  differs('close-is-awaitable', 'close resolves when every connection is gone', {
    run: async (ctx, t) => {
      await ctx.send();
      const closing = t.close();
      return [typeof closing?.then, await closing];
    },
    theirs: ({ outcome }) => expect(outcome).toEqual(['undefined', '{undefined}']),
    ours: ({ outcome }) => expect(outcome).toEqual(['function', '{undefined}']),
  }),
  differs('buffer-is-taken', 'a Buffer that is changed after sendMail', {
    run: async (ctx) => {
      const content = Buffer.from('as it was');
      const sent = ctx.send({ attachments: [{ filename: 'a.txt', content }] });
      content.write('AS IT IS.');
      const { error } = await sent;
      return error;
    },
    theirs: ({ messages }) => expect(messages[0].body).toContain(btoa('AS IT IS.')),
    ours: ({ messages }) => expect(messages[0].body).toContain(btoa('as it was')),
  }),
  differs('close-has-code', 'what waits at close fails with a code', {
    options: ONE,
    server: { replies: { body: after(50, '250 ok') } },
    run: async (ctx, t) => {
      const sends = all(ctx, 6);
      await ctx.until(() => count(ctx, /^DATA/) === 1);
      t.close();
      return sends;
    },
    theirs: ({ outcome }) => {
      expect(outcome[0].info).toBeTruthy();
      expect(outcome[5].error.message).toBe('Connection pool was closed');
      expect(outcome[5].error.code).toBeUndefined();
    },
    ours: ({ outcome }) => {
      expect(outcome[0].info).toBeTruthy();
      const { error } = outcome[5];
      expect([error.message, error.code]).toEqual(['Connection pool was closed', 'ECONNECTION']);
    },
  }),
  differs('quit-said', 'a connection that has sent maxMessages says QUIT', {
    options: { ...ONE, maxMessages: 1 },
    run: async (ctx) => {
      await all(ctx, 2);
      await wait(50);
      return count(ctx, /^QUIT/);
    },
    theirs: ({ outcome }) => expect(outcome).toBe(0),
    ours: ({ outcome }) => expect(outcome).toBe(2),
  }),
  differs('no-dead-time', 'a connection that has sent maxMessages is replaced at once', {
    options: { ...ONE, maxMessages: 1 },
    run: async (ctx) => {
      const started = Date.now();
      await all(ctx, 8);
      return Date.now() - started;
    },
    theirs: ({ outcome }) => expect(outcome).toBeGreaterThan(600),
    ours: ({ outcome }) => expect(outcome).toBeLessThan(500),
  }),
  differs('wrong-password-once', 'a refused login is tried once, not once a message', {
    options: { auth: { user: 'user', pass: 'wrong' } },
    server: { auth: {} },
    run: async (ctx) => [(await all(ctx, 20)).map(({ error }) => error.code), count(ctx, /^AUTH/)],
    theirs: ({ outcome }) => expect(outcome).toEqual([Array(20).fill('EAUTH'), 20]),
    ours: ({ outcome }) => expect(outcome).toEqual([Array(20).fill('EAUTH'), 1]),
  }),
  differs('token-is-shared', 'one access token serves the whole pool', {
    options: (ctx, base) => ({
      ...base,
      maxMessages: 1,
      auth: {
        type: 'OAuth2',
        user: 'user',
        provisionCallback: (user, renew, done) =>
          done(null, 'good', Date.now() + 3600000 + (ctx.asked = (ctx.asked ?? 0) + 1)),
      },
    }),
    server: { auth: { methods: ['XOAUTH2'], token: 'good' } },
    run: async (ctx) => [(await all(ctx, 10)).filter(({ info }) => info).length, ctx.asked],
    theirs: ({ outcome }) => expect(outcome).toEqual([10, 10]),
    ours: ({ outcome }) => expect(outcome).toEqual([10, 1]),
  }),
  differs('rate-limit-holds', 'never more than rateLimit in any window', {
    options: { rateLimit: 2, rateDelta: 300 },
    server: { replies: { MAIL: (session) => void (session.server.times ??= []).push(Date.now()) } },
    run: async (ctx) => {
      await all(ctx, 6);
      const { times } = ctx.server;
      return Math.max(
        ...times.map((start) => times.filter((time) => time >= start && time < start + 280).length),
      );
    },
    theirs: ({ outcome }) => expect(outcome).toBeGreaterThan(2),
    ours: ({ outcome }) => expect(outcome).toBe(2),
  }),
  differs('refused-session-is-retried', 'a session ended by 421 at MAIL costs no message', {
    options: ONE,
    server: {
      replies: {
        MAIL: (session) =>
          session.id === 1 ? ['421 4.3.2 too many messages in this session', FIN] : undefined,
      },
    },
    run: (ctx) => ctx.send(),
    theirs: ({ outcome }) => expect(outcome.error.responseCode).toBe(421),
    ours: ({ outcome }) => expect(outcome.info.accepted).toHaveLength(1),
  }),
  differs('throttling-is-retried', 'a message that came too fast goes out a little later', {
    options: ONE,
    server: {
      replies: {
        MAIL: ({ server }) =>
          (server.mails = (server.mails ?? 0) + 1) === 1
            ? '454 4.7.0 Throttling failure: Maximum sending rate exceeded.'
            : undefined,
      },
    },
    run: (ctx) => ctx.send(),
    theirs: ({ outcome }) => expect(outcome.error.responseCode).toBe(454),
    ours: ({ outcome, messages }) => {
      expect(outcome.info.accepted).toHaveLength(1);
      expect(messages).toHaveLength(1);
    },
  }),
  differs('refused-login-alone', 'a refused login fails nothing while another connection works', {
    options: { auth: { user: 'user', pass: 'secret' }, maxConnections: 2 },
    server: {
      auth: {},
      replies: { AUTH: ({ id }) => (id === 1 ? '235 2.7.0 welcome' : '535 5.7.8 not you') },
    },
    run: async (ctx) => (await all(ctx, 6)).filter(({ error }) => error).map(({ error }) => error.code),
    theirs: ({ outcome }) => expect(new Set(outcome)).toEqual(new Set(['EAUTH'])),
    ours: ({ outcome }) => expect(outcome).toEqual([]),
  }),
  differs('unsent-is-retried', 'a connection lost before the end of a message costs no message', {
    options: ONE,
    server: { replies: { RCPT: (session) => (session.id === 1 ? FIN : undefined) } },
    run: (ctx) => ctx.send(),
    theirs: ({ outcome }) => expect(outcome.error.code).toBe('ECONNECTION'),
    ours: ({ outcome, messages }) => {
      expect(outcome.info.accepted).toHaveLength(1);
      expect(messages).toHaveLength(1);
    },
  }),
  differs('message-auth', 'credentials of a message are used for it', {
    options: { auth: { user: 'user', pass: 'secret' } },
    server: { auth: {}, replies: { AUTH: '235 2.7.0 welcome' } },
    run: async (ctx) => {
      await ctx.send();
      await ctx.send({ auth: { user: 'other', pass: 'word' } });
      return ctx.server.connections
        .flatMap(({ commands }) => commands)
        .filter((line) => /^AUTH/.test(line))
        .map((line) => Buffer.from(line.split(' ')[2], 'base64').toString());
    },
    theirs: ({ outcome }) => expect(outcome).toEqual(['\0user\0secret']),
    ours: ({ outcome }) => expect(outcome).toEqual(['\0user\0secret', '\0other\0word']),
  }),
  differs('smtputf8-needed', 'a mailbox beyond ASCII needs SMTPUTF8', {
    message: () => ({ to: 'jürgen@example.com' }),
    theirs: ({ outcome }) => expect(outcome.info).toBeTruthy(),
    ours: ({ outcome, messages }) => {
      expect(outcome.error.code).toBe('EENVELOPE');
      expect(messages).toEqual([]);
    },
  }),
  differs('recipients-in-parts', 'more recipients than the server takes at once', {
    server: {
      capabilities: ['PIPELINING', 'LIMITS RCPTMAX=2'],
      replies: { RCPT: ({ to }) => (to.length < 2 ? undefined : '452 4.5.3 too many recipients') },
    },
    message: () => ({ to: ['a@example.com', 'b@example.com', 'c@example.com'] }),
    theirs: ({ outcome }) => expect(outcome.info.rejected).toEqual(['c@example.com']),
    ours: ({ outcome, messages }) => {
      expect([outcome.info.accepted.length, outcome.info.rejected]).toEqual([3, []]);
      expect(messages).toHaveLength(2);
    },
  }),
  differs('size-checked', 'a message larger than the server takes is not sent', {
    server: { capabilities: ['SIZE 1000'] },
    message: () => ({ text: 'x'.repeat(5000) }),
    theirs: ({ messages }) => expect(messages).toHaveLength(1),
    ours: ({ outcome, messages }) => {
      expect([outcome.error.code, outcome.error.message]).toEqual([
        'EMESSAGE',
        'Message size larger than allowed 1000',
      ]);
      expect(messages).toEqual([]);
    },
  }),
  differs('8bit-announced', 'MAIL says that a message has bytes beyond ASCII', {
    server: { capabilities: ['8BITMIME'] },
    run: async (ctx) => {
      await ctx.send({ raw: Buffer.from('Subject: x\r\n\r\n\xfc\r\n', 'latin1') });
      return count(ctx, / BODY=8BITMIME/);
    },
    theirs: ({ outcome }) => expect(outcome).toBe(0),
    ours: ({ outcome }) => expect(outcome).toBe(1),
  }),
  differs('size-announced', 'MAIL says how large the message is', {
    server: { capabilities: ['SIZE 1000000', '8BITMIME'] },
    run: async (ctx) => {
      const { info } = await ctx.send();
      return [count(ctx, / SIZE=\d+/), info.messageSize > 0];
    },
    theirs: ({ outcome }) => expect(outcome).toEqual([0, true]),
    ours: ({ outcome }) => expect(outcome).toEqual([1, true]),
  }),
  differs('lmtp-all-refused', 'a message that LMTP delivers to nobody fails', {
    options: { lmtp: true },
    server: { lmtp: true, replies: { body: ['550 5.1.1 a', '550 5.1.1 b'] } },
    message: () => ({ to: 'a@example.com, b@example.com' }),
    theirs: ({ outcome }) => expect(outcome.info.accepted).toEqual([]),
    ours: ({ outcome }) => {
      expect(outcome.error.code).toBe('EMESSAGE');
      expect(outcome.error.rejected).toEqual(['a@example.com', 'b@example.com']);
      expect(outcome.error.rejectedErrors).toHaveLength(2);
    },
  }),
  differs('dkim-key-must-sign', 'a message that cannot be signed is not sent', {
    message: () => ({ dkim: { domainName: 'example.com', keySelector: 'a', privateKey: 'nonsense' } }),
    theirs: ({ messages }) => expect(messages[0].body).not.toMatch(/DKIM/),
    ours: ({ outcome, messages }) => {
      expect(outcome.error.code).toBe('EDKIM');
      expect(messages).toEqual([]);
    },
  }),
  differs('starttls-injection', 'bytes between STARTTLS and TLS end the connection', {
    options: { host: 'localhost', maxRequeues: 0, tls: { rejectUnauthorized: false } },
    server: { starttls: true, injects: '250 injected' },
    theirs: ({ outcome }) => expect(outcome.info).toBeTruthy(),
    ours: ({ outcome }) => expect(outcome.error.code).toMatch(/ETLS|EPROTOCOL/),
  }),
  differs('proxy-of-a-transport', 'a transport object keeps to its proxy', {
    bare: true,
    prepare: async (ctx) => (ctx.proxy = await startProxy({ kind: 'http', target: ctx.port })),
    cleanup: (ctx) => (ctx.transporter.close(), ctx.proxy.close()),
    run: async (ctx) => {
      const make = ctx.library.pool ?? ((options) => new (require('nodemailer/lib/smtp-pool'))(options));
      const transport = make({
        host: '127.0.0.1',
        port: ctx.port,
        proxy: `http://127.0.0.1:${ctx.proxy.port}`,
      });
      ctx.transporter = require('nodemailer').createTransport(transport);
      await ctx.send();
      return ctx.proxy.requests.length;
    },
    theirs: ({ outcome, messages }) => expect([outcome, messages.length]).toEqual([0, 1]),
    ours: ({ outcome, messages }) => expect([outcome, messages.length]).toEqual([1, 1]),
  }),
  differs('socks-built-in', 'a SOCKS proxy needs no module', {
    prepare: async (ctx) => (ctx.proxy = await startProxy({ kind: 'socks5', target: ctx.port })),
    cleanup: (ctx) => ctx.proxy.close(),
    options: (ctx, base) => ({ ...base, proxy: `socks5://127.0.0.1:${ctx.proxy.port}` }),
    theirs: ({ outcome }) => expect(outcome.error.message).toBe('Socks module not loaded'),
    ours: ({ outcome }) => expect(outcome.info).toBeTruthy(),
  }),
  differs('slow-replies-end', 'a server that drips its reply does not hold a message for ever', {
    options: { socketTimeout: 150, maxRequeues: 0 },
    server: {
      replies: {
        MAIL: [...'250-still thinking about it, wait a little longer please\r\n'].map((c) =>
          after(40, Buffer.from(c)),
        ),
      },
    },
    run: async (ctx) => Promise.race([ctx.send(), wait(1500).then(() => 'still waiting')]),
    theirs: ({ outcome }) => expect(outcome).toBe('still waiting'),
    ours: ({ outcome }) => expect(outcome.error.code).toBe('ETIMEDOUT'),
  }),
  differs('surplus-replies-end', 'a reply too many is not taken for the answer to the next command', {
    options: { ...ONE, maxRequeues: 0 },
    server: { capabilities: [], replies: { MAIL: '250 2.1.0 ok\r\n250 2.1.0 and again' } },
    run: async (ctx) => ctx.send(),
    // the server takes the message, and the caller hears that it failed
    theirs: ({ outcome }) => expect(outcome.error.message).toBe('Message failed: 354 go on'),
    ours: ({ outcome, messages }) => {
      expect(outcome.error.code).toBe('EPROTOCOL');
      expect(messages).toEqual([]);
    },
  }),
  differs('idle-pool-exits', 'an idle pool does not keep the process alive', {
    run: (ctx) => {
      const script = `
        const t = require(process.argv[1]).createTransport({ pool: true, host: '127.0.0.1', port: Number(process.argv[2]) });
        t.sendMail({ from: 'a@example.com', to: 'b@example.com', text: 'x' }).then(() => process.stdout.write('sent'));`;
      return new Promise((resolve) => {
        const started = [process.execPath, ['-e', script, ctx.file, String(ctx.port)], { timeout: 1500 }];
        execFile(...started, (err, stdout) => resolve([stdout, err ? 'stays' : 'exits']));
      });
    },
    theirs: ({ outcome }) => expect(outcome).toEqual(['sent', 'stays']),
    ours: ({ outcome }) => expect(outcome).toEqual(['sent', 'exits']),
  }),
  differs('queue-is-bounded', 'maxQueue refuses what does not fit', {
    options: { ...ONE, maxQueue: 2 },
    server: { replies: { body: after(40, '250 ok') } },
    run: async (ctx) => (await all(ctx, 5)).filter(({ error }) => error?.code === 'EQUEUEFULL').length,
    theirs: ({ outcome }) => expect(outcome).toBe(0),
    ours: ({ outcome }) => expect(outcome).toBeGreaterThan(1),
  }),
  differs('message-timeout', 'timeout settles a message whatever the server does', {
    options: { timeout: 150 },
    server: { replies: { MAIL: SILENCE } },
    run: async (ctx) => Promise.race([ctx.send(), wait(1000).then(() => 'still waiting')]),
    theirs: ({ outcome }) => expect(outcome).toBe('still waiting'),
    ours: ({ outcome }) => expect(outcome.error.code).toBe('ETIMEDOUT'),
  }),
  differs('version-is-ours', 'the transport says which library it is', {
    run: (ctx, t) => [t.transporter.name, /^postpool|nodemailer/.exec(t.getVersionString())?.[0]],
    theirs: ({ outcome }) => expect(outcome).toEqual(['SMTP (pool)', 'nodemailer']),
    ours: ({ outcome }) => expect(outcome[0]).toBe('SMTP (pool)'),
  }),
];
