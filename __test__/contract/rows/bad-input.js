'use strict';

/**
 * Nonsense. Each row runs in a process of its own, because some of it ends nodemailer's. Where
 * nodemailer has an answer, ours is the same; where it crashes or hangs, ours is a clear error, and
 * in every case the next message goes out.
 */

const { Readable } = require('node:stream');

/** Sends the nonsense, then a good message. */
const then = (fields) => async (ctx) => [await ctx.send(fields()), await ctx.send({ subject: 'and on' })];
const APART = { isolated: true, wire: 'messages' };
const sends = (name, fields, row) => ({
  name,
  ...APART,
  options: { maxConnections: 1 },
  run: then(typeof fields === 'function' ? fields : () => fields),
  ...row,
});
const options = (name, changes, row) => ({ name: `options ${name}`, ...APART, options: changes, ...row });
const calls = (name, run, row) => ({ name, isolated: true, bare: true, run, ...row });
/** Where nodemailer dies or hangs: says what it does, and that ours fails and goes on. */
const survives = (name, fields, theirs, row) => ({
  ...sends(name, fields, row),
  difference: 'bad-input-is-an-error',
  theirs: (seen) => expect(JSON.stringify(seen.outcome)).toMatch(theirs),
  ours: (seen) => {
    expect(seen.outcome[0].error ?? seen.outcome[0].info).toBeTruthy();
    expect(seen.outcome[1].info?.accepted).toEqual(['recipient@example.com']);
  },
});

/** The same for options, where one message is sent. */
const dies = {
  difference: 'bad-input-is-an-error',
  theirs: (seen) => expect(seen.outcome).toMatch(/the process dies|never settles/),
  ours: (seen) => expect(seen.outcome.info ?? seen.outcome.error ?? seen.outcome.thrown).toBeTruthy(),
};

module.exports = [
  calls('createTransport without arguments', ({ library }) => typeof library.createTransport().sendMail),
  calls('createTransport(null)', ({ library }) => typeof library.createTransport(null).sendMail),
  calls('createTransport(5)', ({ library }) => typeof library.createTransport(5).sendMail),
  calls(
    'createTransport(a string without a scheme)',
    ({ library }) => typeof library.createTransport('mail.example').sendMail,
  ),
  calls(
    'createTransport with an unknown scheme',
    ({ library }) => typeof library.createTransport('http://mail.example').sendMail,
  ),
  calls(
    'createTransport with an invalid url',
    ({ library }) => library.createTransport('smtp://[::1?pool=true').transporter.options,
  ),
  calls('createTransport({})', ({ library }) => library.createTransport({}).transporter.name),
  calls(
    'createTransport({ pool: false })',
    ({ library }) => library.createTransport({ pool: false }).transporter.name,
  ),
  calls(
    'createTransport({ jsonTransport: true })',
    ({ library }) => library.createTransport({ jsonTransport: true }).transporter.name,
  ),
  calls(
    'createTransport({ streamTransport: true })',
    ({ library }) => library.createTransport({ streamTransport: true }).transporter.name,
  ),
  calls(
    'createTransport({ sendmail: true })',
    ({ library }) => library.createTransport({ sendmail: true }).transporter.name,
  ),
  calls(
    'createTransport({ SES }) of the old kind',
    ({ library }) => library.createTransport({ SES: { ses: {}, aws: {} } }).transporter.name,
  ),
  calls('getTestMessageUrl', ({ library }) => [
    library.getTestMessageUrl(),
    library.getTestMessageUrl({}),
    library.getTestMessageUrl({ response: '250 [STATUS=new MSGID=abc]' }),
  ]),
  calls('what the module exports', ({ library }) =>
    ['createTransport', 'createTestAccount', 'getTestMessageUrl', 'default'].map(
      (name) => typeof library[name],
    ),
  ),

  options('port 0', (ctx, base) => ({ ...base, host: '127.0.0.1', port: 0, connectionTimeout: 500 }), {
    server: false,
  }),
  options('port 70000', { port: 70000 }),
  options('port -1', { port: -1 }),
  options('port "abc"', (ctx, base) => ({ ...base, port: 'abc' }), { server: false }),
  options('port 1.5', { port: 1.5 }),
  options('host that is a number', { host: 12345 }, dies),
  options('host that is an object', { host: { a: 1 } }, dies),
  options('maxConnections 0', { maxConnections: 0 }),
  options('maxConnections -1', { maxConnections: -1 }, dies),
  options('maxConnections NaN', { maxConnections: NaN }),
  options('maxConnections "2"', { maxConnections: '2' }),
  options('maxMessages 0', { maxMessages: 0 }),
  options('maxMessages -1', { maxMessages: -1 }),
  options('maxMessages NaN', { maxMessages: NaN }),
  options('maxMessages Infinity', { maxMessages: Infinity, maxConnections: 1 }),
  options('maxRequeues NaN', { maxRequeues: NaN }),
  options('rateLimit -1', { rateLimit: -1 }),
  options('rateLimit "x"', { rateLimit: 'x', rateDelta: 'y' }),
  options(
    'timeouts that are strings',
    { connectionTimeout: '5000', greetingTimeout: '5000', socketTimeout: '5000' },
    {
      ...dies,
      theirs: (seen) => expect(seen.outcome.info).toBeUndefined(),
    },
  ),
  options('timeouts of 0', { connectionTimeout: 0, greetingTimeout: 0, socketTimeout: 0, dnsTimeout: 0 }),
  options('idleTimeout NaN', { idleTimeout: NaN }),
  options('auth without pass', { auth: { user: 'user' } }, { server: { auth: {} } }),
  options('auth that is a string', { auth: 'user:pass' }, { server: { auth: {} } }),
  options('auth true', { auth: true }, { server: { auth: {} } }),
  options(
    'auth.method that is no string',
    { auth: { user: 'user', pass: 'secret', method: false } },
    { server: { auth: {} } },
  ),
  options('tls that is a string', { tls: 'yes' }),
  options('name null', { name: null }),
  options(
    'secure "false"',
    { secure: 'false', connectionTimeout: 500, tls: { rejectUnauthorized: false } },
    {
      without: { difference: 'tls-error-details', fields: ['library', 'reason'] },
      mask: [[/^.*SSL routines:.*wrong version number[\s\S]*$/, 'wrong version']],
    },
  ),
  options('customAuth null', { customAuth: null }),
  options('getSocket that is no function', { getSocket: 'no' }),
  options('logger that is a string', { logger: 'yes' }),
  options('options without a prototype', (ctx, base) => Object.assign(Object.create(null), base)),

  {
    name: 'sendMail without arguments',
    ...APART,
    run: async (ctx, t) => [await ctx.outcome(t.sendMail()), await ctx.send()],
  },
  {
    name: 'sendMail(null)',
    ...APART,
    run: async (ctx, t) => [await ctx.outcome(t.sendMail(null)), await ctx.send()],
  },
  {
    name: 'sendMail of a string',
    ...APART,
    run: async (ctx, t) => [await ctx.outcome(t.sendMail('hello')), await ctx.send()],
  },
  {
    name: 'sendMail with a callback that is none',
    ...APART,
    run: async (ctx, t) => {
      try {
        t.sendMail(ctx.message, 'no function');
      } catch (error) {
        ctx.note(error.message);
      }
      return ctx.send();
    },
    difference: 'bad-input-is-an-error',
    theirs: (seen) => expect(JSON.stringify(seen.outcome)).toMatch(/dies|info/),
    ours: (seen) => expect(seen.outcome.info).toBeTruthy(),
  },
  sends('no recipients', { to: undefined }),
  sends('empty recipients', { to: '', cc: [], bcc: null }),
  sends('recipients that are no address', { to: 'nobody' }),
  sends('a recipient that is a number', { to: 12345 }),
  sends('a recipient that is an empty object', { to: {} }),
  sends('recipients with null', { to: [null, undefined, 'a@example.com'] }),
  sends('from that is a number', { from: 5 }),
  sends('envelope true', { envelope: true }),
  sends('envelope that is a string', { envelope: 'a@example.com' }),
  sends('text that is a number', { text: 12345 }),
  sends('text true', { text: true }),
  sends('text null', { text: null }),
  sends('html that is an array', { html: ['a', 'b'] }),
  sends('html that is an empty object', { html: {} }),
  sends('subject that is a number', { subject: 12345 }),
  sends('subject null', { subject: null }),
  sends('date that is a number', { date: 0 }, { mask: [[/^Date: .*$/gm, 'Date: now']] }),
  sends('date that is invalid', { date: new Date(NaN) }),
  sends('headers null', { headers: null }),
  sends('headers with null', { headers: { 'X-A': null, 'X-B': undefined, 'X-C': 0, 'X-D': false } }),
  sends('headers with an object', { headers: { 'X-A': { b: 1 } } }),
  sends('headers with an empty name', { headers: { '': 'x', ' ': 'y', 'a b:c': 'z' } }),
  sends('attachments null', { attachments: null }),
  sends('attachments [null]', { attachments: [null] }),
  sends('attachments [undefined, "a string"]', { attachments: [undefined, 'a string'] }),
  sends('attachments [{}]', { attachments: [{}] }),
  sends('attachment content that is a number', { attachments: [{ filename: 'a', content: 5 }] }),
  sends('attachment content null', { attachments: [{ filename: 'a', content: null }] }),
  sends('attachment path that is a number', { attachments: [{ path: 5 }] }),
  sends('attachment with an unknown encoding', {
    attachments: [{ filename: 'a', content: 'xyz', encoding: 'rot13' }],
  }),
  sends('attachment with an invalid contentType', {
    attachments: [{ filename: 'a', content: 'x', contentType: 'nonsense\r\nX: y' }],
  }),
  sends('alternatives that are no list', { alternatives: 'x' }),
  sends('icalEvent that is a number', { icalEvent: 5 }),
  sends('list that is a string', { list: 'x' }),
  sends('list with null', { list: { help: null, unsubscribe: [null] } }),
  sends('priority that is a number', { priority: 1 }),
  sends('dsn that is a string', { dsn: 'yes' }),
  sends(
    'dkim that is a string',
    { dkim: 'yes' },
    {
      difference: 'dkim-key-must-sign',
      theirs: (seen) => expect(seen.messages).toHaveLength(2),
      ours: (seen) => expect([seen.outcome[0].error.code, seen.messages.length]).toEqual(['EDKIM', 1]),
    },
  ),
  sends('raw that is a number', { raw: 5 }),
  sends('raw that is empty', { raw: '' }),
  sends('references that is an object', { references: { a: 1 } }),
  sends('a path that does not exist', { attachments: [{ path: '/does/not/exist' }] }),
  sends('a stream that errors half way', () => ({
    text: new Readable({
      read() {
        this.push('half');
        this.destroy(new Error('broken'));
      },
    }),
  })),
  sends('maxRecipients NaN', { maxRecipients: NaN }),
  survives('attachment path with a NUL', { attachments: [{ path: 'a\0b' }] }, /dies/),
  survives('messageId 12345', { messageId: 12345 }, /dies/),
  survives('messageId that is an object', { messageId: { a: 1 } }, /dies/),
  survives(
    'attachment filename that is a number',
    { attachments: [{ filename: 123, contentType: 'text/plain', content: 'x' }] },
    /dies/,
  ),
  sends('attachment cid that is a number', { attachments: [{ cid: 123, content: 'x' }] }),
  {
    name: 'a callback that throws',
    ...APART,
    run: async (ctx, t) => {
      await new Promise((resolve) =>
        t.sendMail(ctx.message, () => {
          resolve();
          throw new Error('thrown by the callback');
        }),
      );
      return ctx.send();
    },
  },
  {
    name: 'an idle listener that throws',
    isolated: true,
    run: async (ctx, t) => {
      t.on('idle', () => {
        throw new Error('thrown by the listener');
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      return ctx.send();
    },
  },
];
