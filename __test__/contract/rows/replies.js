'use strict';

/** What servers answer to MAIL, RCPT, DATA and the body: info, errors, and what the next message sees. */

const { FIN, RST, after } = require('../../support/servers');

/** Sends one message that the script is about, and one that must go out after it. */
const twice = async (ctx) => [await ctx.send(ctx.row.first), await ctx.send({ subject: 'second' })];

/** Answers only the first time, per server. */
const first = (reply) => {
  const seen = new WeakSet();
  return (session) => {
    if (seen.has(session.server)) return undefined;
    seen.add(session.server);
    return reply;
  };
};
/** Answers a recipient whose address holds the text. */
const refuses = (pattern, reply) => (session, line) => (pattern.test(line) ? reply : undefined);

const PIPELINING = ['PIPELINING', '8BITMIME'];
/** One connection, so that the second message meets what the first left behind. */
const ONE = { maxConnections: 1 };
const ladder = [
  ['pipelined', PIPELINING],
  ['one by one', ['8BITMIME']],
];
/** The same row for a server with PIPELINING and for one without. */
const both = (name, replies, row = {}) =>
  ladder.map(([rung, capabilities]) => ({
    name: `${name}, ${rung}`,
    options: ONE,
    run: twice,
    ...row,
    server: { capabilities, ...row.server, replies: typeof replies === 'function' ? replies() : replies },
  }));

const answers = (step, reply, row) =>
  both(`${step} answered ${String(reply).slice(0, 40)}`, () => ({ [step]: first(reply) }), row);

/** What goes out over another connection here and fails there; it is delivered once. */
const retried = (difference) => ({
  difference,
  wire: 'messages',
  theirs: ({ outcome: [lost, second] }) => {
    expect(lost.error).toBeTruthy();
    expect(second.info).toBeTruthy();
  },
  ours: ({ outcome, messages }) => {
    for (const { info } of outcome) expect(info.accepted).toEqual(['recipient@example.com']);
    expect(messages).toHaveLength(2);
  },
});
/** A reply that is none: the message goes out over another connection. */
const malformed = (nodemailers) => ({
  difference: 'malformed-replies-end',
  wire: 'messages',
  theirs: ({ outcome }) => expect(outcome[0][nodemailers]).toBeTruthy(),
  ours: ({ outcome, messages }) => {
    for (const { info } of outcome) expect(info.accepted).toEqual(['recipient@example.com']);
    expect(messages).toHaveLength(2);
  },
});

const three = { first: { to: 'a@example.com, bad@example.com, c@example.com' } };
const LMTP = (name, body, first_) => ({
  name: `lmtp ${name}`,
  options: { lmtp: true, ...ONE },
  server: { lmtp: true, replies: { body: first(body) } },
  first: { to: 'a@example.com, b@example.com', ...first_ },
  run: twice,
});

module.exports = [
  ...answers('MAIL', '550 5.7.1 not you'),
  ...answers('MAIL', '451 4.3.0 later'),
  ...answers('MAIL', '503 5.5.1 bad sequence'),
  ...answers('MAIL', '250-2.1.0 in several\r\n250 2.1.0 lines'),
  ...answers('RCPT', '550 5.1.1 no such user'),
  ...answers('RCPT', '450 4.2.0 greylisted'),
  ...answers('RCPT', '251 will forward'),
  ...answers('RCPT', '550-5.1.1 several\r\n550 5.1.1 lines'),
  ...answers('RCPT', '552 5.2.2 grüezi, voll'),
  ...both('the DATA command is refused', { DATA: '451 4.3.0 no data today' }, { run: (ctx) => ctx.send() }),
  // where DATA was pipelined, another connection takes one step at a time
  ...both('DATA answered 250', { DATA: '250 fine' }, { run: (ctx) => ctx.send(), wire: 'messages' }),
  ...answers('body', '554 5.6.0 spam'),
  ...answers('body', '451 4.3.0 not now'),
  ...answers('body', '452 4.3.1 full'),
  ...answers('body', '250 2.0.0 Ok: queued as 4F2'),
  ...answers('body', '250-2.0.0 Ok\r\n250 2.0.0 twice'),
  ...answers('body', '250 grüezi'),
  ...answers('body', '354 again?', { wire: 'messages' }),
  ...both('one of three recipients is refused', { RCPT: refuses(/bad/, '550 5.1.1 unknown') }, three),
  ...both(
    'all of three are refused, one for now',
    { RCPT: (s, line) => (/bad/.test(line) ? '450 4.2.1 wait' : '550 5.1.1 no') },
    three,
  ),
  ...both(
    'a refused recipient, then refused data',
    { RCPT: refuses(/bad/, '550 5.1.1 unknown'), body: first('554 5.7.1 spam') },
    three,
  ),

  ...both(
    '421 to MAIL',
    () => ({ MAIL: first(['421 4.3.2 bye', FIN]) }),
    retried('refused-session-is-retried'),
  ),
  ...both(
    '421 to RCPT',
    () => ({ RCPT: first(['421 4.3.2 bye', FIN]) }),
    retried('refused-session-is-retried'),
  ),
  ...both('421 to the body', () => ({ body: first(['421 4.3.2 bye', FIN]) })),
  ...both('close at MAIL', () => ({ MAIL: first(FIN) }), retried('unsent-is-retried')),
  ...both('close at RCPT', () => ({ RCPT: first(FIN) }), retried('unsent-is-retried')),
  ...both('close after the final dot', () => ({ body: first(FIN) })),
  ...both('reset after the final dot', () => ({ body: first(after(10, RST)) })),
  ...both('half an answer to the body', () => ({ body: first([Buffer.from('250 2.0.0 qu'), FIN]) })),
  ...both('half a refusal of the body', () => ({ body: first([Buffer.from('554 5.7.1 sp'), FIN]) })),
  ...both('an answer that is not SMTP', () => ({ MAIL: first('what do you want?') }), malformed('error')),
  ...both('an answer of four digits', () => ({ MAIL: first('2500 ok') }), malformed('info')),
  ...both('an empty line before an answer', () => ({ MAIL: first('\r\n250 ok') })),
  {
    name: 'the second message finds the connection closed',
    options: ONE,
    server: { replies: { body: first(['250 2.0.0 ok', FIN]) } },
    run: twice,
  },
  {
    name: 'the second message is answered by 421',
    options: ONE,
    server: {
      replies: {
        MAIL: (session) => (session.id === 1 && session.messages ? ['421 4.3.2 bye', FIN] : undefined),
      },
    },
    run: twice,
  },
  {
    name: 'the second message is answered by a reset',
    options: ONE,
    server: { replies: { MAIL: (session) => (session.id === 1 && session.messages ? RST : undefined) } },
    run: twice,
  },
  {
    name: 'an idle connection gets 421',
    options: ONE,
    server: { replies: { body: first(['250 2.0.0 ok', after(20, '421 4.4.2 idle too long'), FIN]) } },
    run: async (ctx) => {
      const sent = await ctx.send();
      await new Promise((resolve) => setTimeout(resolve, 150));
      return [sent, await ctx.send()];
    },
  },
  {
    name: 'an idle connection gets a reply nobody asked for',
    options: ONE,
    server: {
      replies: {
        body: (session) => (session.id === 1 ? ['250 2.0.0 ok', after(5, '250 2.1.0 and again')] : undefined),
      },
    },
    run: async (ctx) => {
      const sent = await ctx.send();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return [sent, await ctx.send()];
    },
  },
  {
    name: 'an answer in one byte writes',
    server: { replies: { body: [...'250 2.0.0 ok\r\n'].map((c) => after(1, Buffer.from(c))) } },
  },
  {
    name: 'RSET is refused after a refusal',
    options: ONE,
    server: { replies: { RCPT: first('550 no'), RSET: '500 what' } },
    run: twice,
    wire: 'messages',
  },

  LMTP('all taken', ['250 a', '250 b']),
  LMTP('one refused', ['250 a', '550 5.1.1 b is full']),
  LMTP('the first refused', ['452 4.2.2 a is full', '250 b']),
  LMTP('one recipient', '250 delivered', { to: 'a@example.com' }),
  {
    name: 'lmtp a refused recipient and a refused delivery',
    options: { lmtp: true, ...ONE },
    server: {
      lmtp: true,
      replies: { RCPT: refuses(/bad/, '550 5.1.1 unknown'), body: first(['250 a', '550 c']) },
    },
    ...three,
    run: twice,
  },
  {
    name: "a server's own message id",
    options: ({ port }) => ({ pool: true, host: 'localhost', port, name: 'x.example' }),
    server: { replies: { body: '250 2.0.0 Ok <0102018a-1111@eu-west-1.amazonses.com>' } },
  },
  {
    name: 'the message id that Exchange gives',
    server: {
      replies: {
        body: '250 2.6.0 <AB0@PROD.OUTLOOK.COM> [InternalId=1, Hostname=x] 9000 bytes in 0.1, 5 KB/sec Queued mail for delivery',
      },
    },
  },
  {
    name: 'SMTPUTF8 refused at MAIL',
    server: { capabilities: ['SMTPUTF8'], replies: { MAIL: '550 5.6.7 no' } },
    message: () => ({ from: 'jürgen@example.com' }),
  },
  {
    name: 'SMTPUTF8 refused at RCPT',
    server: { capabilities: ['SMTPUTF8'], replies: { RCPT: '553 5.6.7 no' } },
    message: () => ({ to: 'jürgen@example.com' }),
  },
];
