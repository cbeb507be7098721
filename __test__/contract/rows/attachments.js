'use strict';

/** Attachments: where their content comes from, how they are described, and what happens when it cannot be had. */

const http = require('node:http');
const path = require('node:path');
const { Readable } = require('node:stream');
const { certificates } = require('../../support/servers');

const FILE = path.join(certificates, 'ca.pem');
const MISSING = path.join(certificates, 'missing.bin');

const attaches = (name, make, row) => ({
  name: `attachment ${name}`,
  message: (ctx) => ({ attachments: [].concat(typeof make === 'function' ? make(ctx) : { ...make }) }),
  ...row,
});

const broken = (after) =>
  new Readable({
    read() {
      if (after-- > 0) this.push('x'.repeat(1000));
      else this.destroy(Object.assign(new Error('the disk is on fire'), { code: 'EIO' }));
    },
  });

/** A web server for the time of one row; `ctx.web` is its address. */
const web = (answer) => ({
  prepare: (ctx) =>
    new Promise((resolve) => {
      ctx.listener = http.createServer(answer).listen(0, '127.0.0.1', () => {
        ctx.web = `http://127.0.0.1:${ctx.listener.address().port}`;
        resolve();
      });
    }),
  cleanup: (ctx) => new Promise((resolve) => ctx.listener.close(resolve)),
  mask: [[/127\.0\.0\.1:\d+/g, 'web']],
});
const page = (req, res) => res.end(`page ${req.url} for ${req.headers['x-who'] ?? 'nobody'}`);

/** A row that sends one message that fails and one that must still go out. */
const goesOn = (name, fields, row) => ({
  name,
  options: { maxConnections: 1 },
  wire: 'messages',
  run: async (ctx) => [await ctx.send(fields(ctx)), await ctx.send({ subject: 'and on' })],
  ...row,
});

module.exports = [
  attaches('string', { filename: 'a.txt', content: 'hello' }),
  attaches('string with encoding', { filename: 'a.bin', content: 'aGVsbG8=', encoding: 'base64' }),
  attaches('Buffer', { filename: 'a.bin', content: Buffer.from([0, 1, 2, 255]) }),
  attaches('large Buffer', { filename: 'a.bin', content: Buffer.alloc(300000, 'abc') }),
  attaches('Uint8Array', { filename: 'a.bin', content: new Uint8Array([1, 2, 3]) }),
  attaches('stream', () => ({
    filename: 's.txt',
    content: Readable.from(['a', 'b'], { objectMode: false }),
  })),
  attaches('file', { path: FILE }),
  attaches('file with a name and type', { path: FILE, filename: 'other.txt', contentType: 'text/plain' }),
  attaches('data URI', { path: 'data:text/plain;base64,aGVsbG8gd29ybGQ=' }),
  attaches('data URI with percent signs', { path: 'data:text/html,%3Cp%3E%C3%BC' }),
  attaches('data URI as href', { filename: 'x.gif', href: 'data:image/gif;base64,R0lGODlh' }),
  attaches('raw', { raw: 'Content-Type: text/plain\r\n\r\nraw part' }),
  attaches('raw file', { raw: { path: FILE } }),
  attaches('without content', { filename: 'empty.txt' }),
  attaches('with empty content', { filename: 'empty.txt', content: '' }),
  attaches('without a name', { content: 'x' }),
  attaches('with filename false', { filename: false, content: 'x' }),
  attaches('with a name beyond ASCII', { filename: 'Übersicht “2026” 📎.pdf', content: 'x' }),
  attaches('with a long name', { filename: `${'long name '.repeat(20)}.txt`, content: 'x' }),
  attaches('with quotes and line breaks in the name', {
    filename: 'a"b\\c\r\nX-Evil: 1;d.txt',
    content: 'x',
  }),
  attaches('with a path in the name', { filename: '../../etc/passwd', content: 'x' }),
  attaches('with a type', { filename: 'x', contentType: 'application/x-mine; a="b c"', content: 'x' }),
  attaches('with a disposition', { filename: 'x.txt', contentDisposition: 'inline', content: 'x' }),
  attaches('with a transfer encoding', {
    filename: 'x.txt',
    contentTransferEncoding: 'quoted-printable',
    content: 'größe',
  }),
  attaches('with transfer encoding false', {
    filename: 'x.txt',
    contentTransferEncoding: false,
    content: 'plain',
  }),
  attaches('with transfer encoding 7bit', {
    filename: 'x.bin',
    contentTransferEncoding: '7bit',
    content: 'plain',
  }),
  attaches('with headers', { filename: 'x.txt', headers: { 'X-Part': ['1', '2'] }, content: 'x' }),
  attaches('message/rfc822', { contentType: 'message/rfc822', content: 'Subject: inner\r\n\r\nbody' }),
  attaches('several', [
    { filename: 'a', content: 'a' },
    { filename: 'b.txt', content: 'b' },
    { filename: 'c.png', content: 'c' },
  ]),
  {
    name: 'an image by cid',
    message: () => ({
      html: '<img src="cid:logo">',
      attachments: [{ filename: 'logo.png', cid: 'logo', content: Buffer.from('png') }],
    }),
  },
  {
    name: 'one attachment and no text',
    message: () => ({ text: undefined, attachments: [{ filename: 'a.txt', content: 'only' }] }),
  },
  {
    name: 'attachments that are no list',
    message: () => ({ attachments: { filename: 'a.txt', content: 'x' } }),
  },
  { name: 'html from a file', message: () => ({ text: undefined, html: { path: FILE } }) },

  attaches(
    'from the web',
    (ctx) => ({ href: `${ctx.web}/file.txt`, httpHeaders: { 'X-Who': 'me' } }),
    web(page),
  ),
  attaches('by path from the web', (ctx) => ({ path: `${ctx.web}/report.pdf?x=1` }), web(page)),
  attaches(
    'redirected',
    (ctx) => ({ href: `${ctx.web}/old` }),
    web((req, res) => (req.url === '/old' ? res.writeHead(302, { Location: '/new' }).end() : page(req, res))),
  ),
  goesOn(
    'attachment from the web that is not there',
    (ctx) => ({ attachments: [{ href: `${ctx.web}/gone` }] }),
    web((req, res) => res.writeHead(404).end('no')),
  ),
  goesOn('attachment from a web server that is not there', () => ({
    attachments: [{ href: 'http://127.0.0.1:1/x' }],
  })),
  goesOn('a file that is missing', () => ({ attachments: [{ path: MISSING }] })),
  goesOn('a directory as a file', () => ({ attachments: [{ path: certificates }] })),
  goesOn('a stream that breaks at once', () => ({ attachments: [{ content: broken(0) }] })),
  goesOn('a stream that breaks half way', () => ({ attachments: [{ content: broken(200) }] })),
  goesOn('a stream that was destroyed before', () => {
    const content = Readable.from(['x']);
    content.destroy();
    return { attachments: [{ content }] };
  }),
  goesOn('a text stream that breaks', () => ({ text: broken(3) })),
  goesOn('disableFileAccess', () => ({ attachments: [{ path: FILE }], disableFileAccess: true })),
  goesOn('disableFileAccess of the transport', () => ({ attachments: [{ path: FILE }] }), {
    options: { disableFileAccess: true, maxConnections: 1 },
  }),
  goesOn('disableFileAccess for raw', () => ({ raw: { path: FILE }, disableFileAccess: true })),
  goesOn('disableUrlAccess', () => ({
    attachments: [{ href: 'http://127.0.0.1:1/' }],
    disableUrlAccess: true,
  })),
  goesOn('disableUrlAccess of the transport', () => ({ html: { href: 'http://127.0.0.1:1/' } }), {
    options: { disableUrlAccess: true, maxConnections: 1 },
  }),
  goesOn('disableFileAccess leaves data URIs alone', () => ({
    attachments: [{ path: 'data:text/plain,ok' }],
    disableFileAccess: true,
    disableUrlAccess: true,
  })),
];
