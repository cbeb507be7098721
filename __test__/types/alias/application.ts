/**
 * An application written against nodemailer's types, in the ways its users write it. It knows
 * nothing of postpool: it is compiled with postpool installed under nodemailer's name.
 */
import nodemailer from 'nodemailer';
import * as everything from 'nodemailer';
import { createTransport, type SendMailOptions, type SentMessageInfo, type Transporter } from 'nodemailer';
import type { Attachment, Address, Options as MailOptions, PluginFunction } from 'nodemailer/lib/mailer';
import Mail from 'nodemailer/lib/mailer';
import MailMessage from 'nodemailer/lib/mailer/mail-message';
import MailComposer from 'nodemailer/lib/mail-composer';
import MimeNode from 'nodemailer/lib/mime-node';
import * as mimeFuncs from 'nodemailer/lib/mime-funcs';
import * as mimeTypes from 'nodemailer/lib/mime-funcs/mime-types';
import addressparser from 'nodemailer/lib/addressparser';
import * as base64 from 'nodemailer/lib/base64';
import * as qp from 'nodemailer/lib/qp';
import * as shared from 'nodemailer/lib/shared';
import DKIM from 'nodemailer/lib/dkim';
import fetch from 'nodemailer/lib/fetch';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import SMTPPool from 'nodemailer/lib/smtp-pool';
import SMTPTransport from 'nodemailer/lib/smtp-transport';
import SendmailTransport from 'nodemailer/lib/sendmail-transport';
import StreamTransport from 'nodemailer/lib/stream-transport';
import JSONTransport from 'nodemailer/lib/json-transport';
import SESTransport from 'nodemailer/lib/ses-transport';
import wellKnown from 'nodemailer/lib/well-known';
import XOAuth2 from 'nodemailer/lib/xoauth2';

// pools
const typed: SMTPPool.Options = {
  pool: true,
  host: 'localhost',
  maxConnections: 5,
  maxMessages: 10,
  rateLimit: 3,
};
const fromTyped = createTransport(typed);
const literal = nodemailer.createTransport({ pool: true, host: 'localhost', auth: { user: 'u', pass: 'p' } });
const kept: Transporter<SMTPPool.SentMessageInfo, SMTPPool.Options> = literal;
const any: Transporter = literal;
const constructed = nodemailer.createTransport(new SMTPPool({ host: 'localhost' }));
literal.on('idle', () => {
  while (literal.isIdle()) literal.sendMail({ to: 'a@example.com' });
});
literal.on('token', (token) => console.log(token.user, token.accessToken, token.expires));
literal.close();

// the other transports
const smtp: Transporter<SMTPTransport.SentMessageInfo, SMTPTransport.Options> = createTransport({
  host: 'localhost',
  port: 587,
});
const url = createTransport('smtps://user:pass@localhost', { from: 'me@example.com' });
const sendmail: Transporter<SendmailTransport.SentMessageInfo> = createTransport({
  sendmail: true,
  path: '/usr/sbin/sendmail',
});
const stream: Transporter<StreamTransport.SentMessageInfo> = createTransport({
  streamTransport: true,
  buffer: true,
});
const json: Transporter<JSONTransport.SentMessageInfo> = createTransport({ jsonTransport: true });
const custom = createTransport<SentMessageInfo>({
  name: 'mine',
  version: '1',
  send: (mail, callback) =>
    callback(null, { envelope: mail.message.getEnvelope(), messageId: mail.message.messageId() }),
});

// messages
const attachments: Attachment[] = [
  { filename: 'a.txt', content: 'x' },
  { path: '/a' },
  { href: 'http://a', httpHeaders: { a: 'b' } },
];
const to: Address[] = [{ name: 'A', address: 'a@example.com' }];
const message: SendMailOptions = {
  from: 'me@example.com',
  to,
  attachments,
  icalEvent: { method: 'PUBLISH', content: 'x' },
  dsn: { ret: 'HDRS' },
};
const viaMail: Mail.Options = {
  ...message,
  list: { help: 'a@example.com' },
  priority: 'high',
  signal: AbortSignal.timeout(1),
};
const viaModule: MailOptions = viaMail;

// plugins
const plugin: PluginFunction = (mail, done) => {
  mail.data.subject = 'changed';
  mail.resolveContent(mail.data, 'html', (err, html) => done(err ?? null) ?? html);
};
const plugged: Mail.PluginFunction = plugin;
literal.use('compile', plugin).use('stream', plugged);
literal.set('oauth2_provision_cb', (user, renew, callback) => callback(null, renew ? user : 'token'));
literal.set('proxy_handler_mine', (proxy, options, done) => done(null, { connection: undefined }));

async function use(transporter: Mail) {
  const sent = await literal.sendMail(message);
  const accepted: string[] = sent.accepted;
  literal.sendMail(viaModule, (err, info) =>
    console.log(err?.code, err?.responseCode, err?.permanent, info.messageId),
  );
  smtp.verify((err, success) => console.log(err, success));
  const verified: true = await literal.verify();
  const info = await transporter.sendMail(viaMail);
  return [accepted, verified, info.envelope.from, everything.getTestMessageUrl(info)];
}

// what lies below lib
const parts = [
  new MailComposer(message).compile().getEnvelope(),
  new MimeNode('text/plain').setContent('x').build(),
  mimeFuncs.encodeWord('x'),
  mimeTypes.detectMimeType('a.txt'),
  addressparser('a@example.com'),
  base64.encode('x'),
  qp.encode('x'),
  shared.parseConnectionUrl('smtp://localhost'),
  new DKIM({ domainName: 'a', keySelector: 'b', privateKey: 'c' }),
  fetch('http://localhost'),
  new SMTPConnection({ host: 'localhost' }),
  wellKnown('gmail'),
  new XOAuth2({ user: 'u' }),
  new MailMessage(literal, message),
];
void [fromTyped, kept, any, constructed, url, sendmail, stream, json, custom, use, parts, SESTransport];
