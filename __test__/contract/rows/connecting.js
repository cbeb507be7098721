'use strict';

/** Reaching a server: addresses, names, the greeting, EHLO, time limits, and what breaks on the way. */

const { FIN, RST, SILENCE, after } = require('../../support/servers');

const ehlo = (reply) => ({ replies: { EHLO: reply } });
const once = (reply) => (session) => (session.id === 1 ? reply : undefined);

/** Sends twice on one connection at most, to see whether the pool goes on after a failure. */
const twice = async (ctx) => [await ctx.send(), await ctx.send({ subject: 'second' })];

module.exports = [
  { name: 'a plain server' },
  { name: 'no PIPELINING', server: { capabilities: [] } },
  {
    name: 'every extension',
    server: { capabilities: ['SIZE 10240000', 'PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN'] },
  },
  { name: 'lower-case extensions', server: { capabilities: ['pipelining', '8bitmime', 'size 1000'] } },
  { name: 'unknown extensions', server: { capabilities: ['XCLIENT NAME', 'FUTURERELEASE 1 2', 'X'] } },
  { name: 'name', options: { name: 'client.example' } },
  { name: 'name with line breaks', options: { name: 'client.example\r\nMAIL FROM:<x@y>' } },
  { name: 'name that is not a string', options: { name: 1234 } },
  { name: 'name with spaces', options: { name: 'my client' } },
  { name: 'empty name', options: { name: '' } },
  { name: 'localAddress', options: { localAddress: '127.0.0.1' } },
  { name: 'localAddress of another family', options: { localAddress: '::1' } },
  { name: 'localAddress that is not here', options: { localAddress: '203.0.113.7' } },
  { name: 'localAddress that is no address', options: { localAddress: 'nowhere' } },
  { name: 'host defaults to localhost', options: ({ port }) => ({ pool: true, port }) },
  {
    name: 'a host that does not resolve',
    server: false,
    options: { host: 'does-not-exist.invalid', port: 25 },
  },
  { name: 'a host with spaces', server: false, options: { host: 'no such host', port: 25 } },
  {
    name: 'nobody listens',
    run: async (ctx) => {
      const { port } = ctx.server;
      await ctx.server.close();
      ctx.server.close = async () => {};
      return [port === ctx.port, await ctx.send(), await ctx.send()];
    },
  },
  { name: 'a capital HOST', options: { host: 'LOCALHOST' } },
  { name: 'dnsTimeout and connectionTimeout given', options: { dnsTimeout: 1000, connectionTimeout: 1000 } },
  { name: 'allowInternalNetworkInterfaces', options: { allowInternalNetworkInterfaces: true } },
  { name: 'lmtp', options: { lmtp: true }, server: { lmtp: true } },
  {
    name: 'lmtp to a server that only knows EHLO',
    options: { lmtp: true },
    server: { replies: { LHLO: '500 what' } },
  },

  {
    name: 'a greeting of several lines',
    server: { replies: { greeting: '220-hello\r\n220-to\r\n220 you' } },
  },
  { name: 'a greeting with 554', server: { replies: { greeting: '554 5.3.2 no service here' } } },
  { name: 'a greeting with 421', server: { replies: { greeting: ['421 4.3.2 shutting down', FIN] } } },
  { name: 'a greeting with 250', server: { replies: { greeting: '250 ok' } } },
  { name: 'a greeting that is not SMTP', server: { replies: { greeting: 'HTTP/1.1 400 Bad Request' } } },
  { name: 'an empty line before the greeting', server: { replies: { greeting: '\r\n220 hello' } } },
  { name: 'an UTF-8 greeting', server: { replies: { greeting: '220 grüezi 👋' } } },
  { name: 'a close instead of a greeting', server: { replies: { connect: FIN } } },
  {
    name: 'maxRequeues 1 and a close instead of a greeting',
    options: { maxRequeues: 1 },
    server: { replies: { connect: FIN } },
  },
  {
    name: 'maxRequeues 0 and a close instead of a greeting',
    options: { maxRequeues: 0 },
    server: { replies: { connect: FIN } },
  },
  { name: 'a close instead of the first greeting', server: { replies: { connect: once(FIN) } } },
  { name: 'a reset instead of a greeting', server: { replies: { connect: after(20, RST) } } },
  { name: 'half a greeting', server: { replies: { greeting: [Buffer.from('220 hel'), FIN] } } },
  { name: 'half a refusal', server: { replies: { greeting: [Buffer.from('554 go aw'), FIN] } } },
  { name: 'greetingTimeout', options: { greetingTimeout: 150 }, server: { replies: { greeting: SILENCE } } },
  {
    name: 'a slow greeting in time',
    options: { greetingTimeout: 2000 },
    server: { replies: { greeting: after(100, '220 hi') } },
  },
  {
    name: 'connectionTimeout covers the greeting',
    options: { connectionTimeout: 150, greetingTimeout: 5000 },
    server: { replies: { greeting: SILENCE } },
  },
  { name: 'socketTimeout while EHLO is pending', options: { socketTimeout: 150 }, server: ehlo(SILENCE) },
  {
    name: 'socketTimeout while MAIL is pending',
    options: { socketTimeout: 150 },
    server: { replies: { MAIL: SILENCE } },
  },
  {
    name: 'socketTimeout after the final dot',
    options: { socketTimeout: 150 },
    server: { replies: { body: SILENCE } },
  },
  {
    name: 'maxResponseSize',
    options: { maxResponseSize: 100 },
    server: ehlo(`250-${'x'.repeat(300)}\r\n250 ok`),
  },
  {
    name: 'a reply without end',
    options: { maxResponseSize: 1000 },
    server: ehlo(Buffer.from('250-' + 'x'.repeat(5000))),
  },

  { name: 'EHLO refused, HELO taken', server: ehlo('502 5.5.1 what') },
  { name: 'EHLO and HELO refused', server: { replies: { EHLO: '502 what', HELO: '550 5.7.1 not you' } } },
  { name: 'EHLO refused under requireTLS', options: { requireTLS: true }, server: ehlo('502 5.5.1 what') },
  { name: 'EHLO with 421', server: ehlo(['421 4.7.0 too busy', FIN]) },
  { name: 'EHLO with one line', server: ehlo('250 hi') },
  { name: 'EHLO in lines with bare LF', server: ehlo(Buffer.from('250-hi\n250-PIPELINING\n250 8BITMIME\n')) },
  {
    name: 'EHLO line by line',
    server: ehlo(['250-hi', after(20, '250-PIPELINING'), after(20, '250 8BITMIME')]),
  },
  { name: 'EHLO byte by byte', server: ehlo([...'250 8BITMIME\r\n'].map((c) => after(1, Buffer.from(c)))) },
  { name: 'EHLO, then a close', server: ehlo(FIN) },
  { name: 'EHLO, then a reset', server: ehlo(RST) },
  {
    name: 'HELO, then login',
    options: { auth: { user: 'user', pass: 'secret' } },
    server: { auth: {}, replies: { EHLO: '500 no' } },
  },

  {
    name: 'a failure to connect does not spoil the next message',
    server: { replies: { connect: once(after(20, RST)) } },
    run: twice,
  },
  {
    name: 'a bad greeting does not spoil the next message',
    server: { replies: { greeting: once('554 busy') } },
    run: twice,
  },
];
