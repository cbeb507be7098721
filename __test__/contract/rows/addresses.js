'use strict';

/** Who a message is from and to: address fields, the envelope made of them, and envelopes given by hand. */

const sends = (name, fields, row) => ({ name, message: () => fields, ...row });

/** A server that takes everything and says so; with what is needed for addresses beyond ASCII. */
const SMTPUTF8 = { capabilities: ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'SIZE 1000000'] };
const DSN = { server: { capabilities: ['DSN'] } };

const dsn = (name, value) => sends(`dsn ${name}`, { dsn: value }, DSN);
const envelope = (name, value, row) => sends(`envelope ${name}`, { envelope: value }, row);

module.exports = [
  sends('from with a name', { from: 'Sender Name <sender@example.com>' }),
  sends('from with a quoted name', { from: '"Name, with comma" <sender@example.com>' }),
  sends('from with a name beyond ASCII', { from: 'Zoë Ünïcode <sender@example.com>' }),
  sends('from as an object', { from: { name: 'Sender "Q" Name', address: 'sender@example.com' } }),
  sends('from with several addresses', { from: 'a@example.com, b@example.com' }),
  sends('no from', { from: undefined }),
  sends('empty from', { from: '' }),
  sends('no from, but a sender', { from: undefined, sender: 'Sec <secretary@example.com>' }),
  sends('no from, but replyTo', { from: undefined, replyTo: 'reply@example.com' }),
  sends('sender beside from', { sender: 'secretary@example.com' }),
  sends('replyTo', { replyTo: 'One <one@example.com>, two@example.com' }),
  sends('to as a list', {
    to: ['a@example.com', 'B <b@example.com>', { name: 'C', address: 'c@example.com' }],
  }),
  sends('to as a string list', { to: 'a@example.com, "B, b" <b@example.com>; c@example.com' }),
  sends('to as nested lists', { to: [['a@example.com'], [['b@example.com']]] }),
  sends('to as a group string', { to: 'Team: a@example.com, b@example.com;' }),
  sends('to as a group object', { to: [{ name: 'Team', group: [{ address: 'a@example.com' }] }] }),
  sends('undisclosed recipients', { to: 'undisclosed-recipients:;', bcc: 'b@example.com' }),
  sends('to with a comment', { to: 'a@example.com (the first)' }),
  sends('the same recipient twice', { to: 'a@example.com, A <a@example.com>', cc: 'a@EXAMPLE.com' }),
  sends('cc and bcc', { cc: 'cc@example.com', bcc: ['bcc@example.com', 'BCC <bcc2@example.com>'] }),
  sends('only bcc', { to: undefined, bcc: 'hidden@example.com' }),
  sends('a name that looks like an address', { to: '"boss@example.com" <thief@example.net>' }),
  sends('a quoted local part', { to: '"john..doe"@example.com' }),
  sends('an address with plus and dots', { to: 'first.last+tag@sub.example.com' }),
  sends('an address without domain', { to: 'postmaster' }),
  sends('an address literal', { to: 'user@[127.0.0.1]' }),
  sends('a domain beyond ASCII', { to: 'user@müller.example' }),
  sends('a domain in capitals', { to: 'User@EXAMPLE.COM' }),
  sends('a local part beyond ASCII, with SMTPUTF8', { to: 'jürgen@müller.example' }, { server: SMTPUTF8 }),
  sends('a sender beyond ASCII, with SMTPUTF8', { from: 'jürgen@example.com' }, { server: SMTPUTF8 }),
  sends('an emoji in the domain', { to: 'a@💌.example' }),
  sends('fifty recipients', { to: Array.from({ length: 50 }, (_, i) => `user${i}@example.com`) }),
  sends(
    'fifty recipients without PIPELINING',
    { to: Array.from({ length: 50 }, (_, i) => `user${i}@example.com`) },
    {
      server: { capabilities: [] },
    },
  ),

  envelope('by hand', { from: 'bounce@example.com', to: 'elsewhere@example.com' }),
  envelope('with lists', { from: 'A <a@example.com>', to: ['B <b@example.com>', 'c@example.com'] }),
  envelope('with cc and bcc', {
    from: 'a@example.com',
    to: 'b@example.com',
    cc: 'c@example.com',
    bcc: ['d@example.com'],
  }),
  envelope('with objects', {
    from: { address: 'a@example.com' },
    to: [{ name: 'B', address: 'b@example.com' }],
  }),
  envelope('with bare names', { from: 'root', to: ['alice', 'bob'] }),
  envelope('with the empty sender', { from: '', to: 'b@example.com' }),
  envelope('with a false sender', { from: false, to: 'b@example.com' }),
  envelope('without a sender', { to: 'b@example.com' }),
  envelope('without recipients', { from: 'a@example.com' }),
  envelope('with size', { from: 'a@example.com', to: 'b@example.com', size: 1000 }, { server: SMTPUTF8 }),
  envelope(
    'with a size over the limit',
    { from: 'a@example.com', to: 'b@example.com', size: 5000000 },
    { server: SMTPUTF8 },
  ),
  envelope('with size, server without SIZE', { from: 'a@example.com', to: 'b@example.com', size: 1000 }),
  envelope('with use8BitMime', { from: 'a@example.com', to: 'b@example.com', use8BitMime: true }),
  envelope(
    'with use8BitMime, server without',
    { from: 'a@example.com', to: 'b@example.com', use8BitMime: true },
    {
      server: { capabilities: [] },
    },
  ),
  envelope('with dsn', { from: 'a@example.com', to: 'b@example.com', dsn: { ret: 'HDRS' } }, DSN),
  envelope('with a line break', { from: 'a@example.com\r\nRCPT TO:<x@example.com>', to: 'b@example.com' }),
  envelope('with angle brackets', { from: 'a@example.com', to: 'b@example.com> SIZE=1 <c@example.com' }),

  dsn('full', {
    ret: 'full',
    envid: 'id-1',
    notify: 'success,failure,delay',
    orcpt: 'rfc822;orig@example.com',
  }),
  dsn('aliases', {
    return: 'headers',
    id: 'ID 2+=',
    notify: ['success', 'failure'],
    recipient: 'orig@example.com',
  }),
  dsn('body', { return: 'body' }),
  dsn('never', { notify: 'never' }),
  dsn('never with others', { notify: 'never,success' }),
  dsn('with an unknown ret', { ret: 'half' }),
  dsn('with an unknown notify', { notify: 'sometimes' }),
  dsn('with line breaks', { envid: 'a\r\nRSET', orcpt: 'x\r\ny' }),
  dsn('empty', {}),
  sends('dsn to a server without DSN', { dsn: { ret: 'FULL', notify: 'success' } }),
  sends('requireTLSExtensionEnabled in the clear', { requireTLSExtensionEnabled: true }),

  sends('maxRecipients', { to: 'a@example.com, b@example.com', maxRecipients: 1 }),
  sends(
    'maxRecipients of the transport',
    { to: 'a@example.com, b@example.com' },
    { options: { maxRecipients: 1 } },
  ),
  sends(
    'maxRecipients 0',
    { to: 'a@example.com, b@example.com', maxRecipients: 0 },
    { options: { maxRecipients: 1 } },
  ),
  {
    name: 'defaults fill what a message leaves out',
    defaults: { replyTo: 'd@example.com', headers: { 'X-D': '1' } },
  },
  {
    name: 'defaults give way to the message',
    defaults: { subject: 'default', headers: { 'X-D': 'default', 'X-E': 'kept' } },
    message: () => ({ headers: { 'X-D': 'message' } }),
  },
];
