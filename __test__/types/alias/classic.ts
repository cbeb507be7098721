/**
 * An application written against `@types/nodemailer` 8, in the forms common there. It compiles
 * against those types, and unchanged with postpool installed under nodemailer's name.
 */
import * as nodemailer from 'nodemailer';
import nodemailerByDefault, {
  createTransport,
  SendMailOptions,
  SentMessageInfo,
  Transporter,
} from 'nodemailer';
import Mail from 'nodemailer/lib/mailer';
import { Address, Attachment } from 'nodemailer/lib/mailer';
import MailMessage from 'nodemailer/lib/mailer/mail-message';
import MimeNode from 'nodemailer/lib/mime-node';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import SMTPPool from 'nodemailer/lib/smtp-pool';
import SMTPTransport from 'nodemailer/lib/smtp-transport';
import JSONTransport from 'nodemailer/lib/json-transport';
import { Options as SMTPOptions } from 'nodemailer/lib/smtp-transport';

const pooled = nodemailer.createTransport({
  pool: true,
  host: process.env.SMTP_HOST,
  port: Number(process.env.SMTP_PORT),
  secure: process.env.SMTP_SECURE === 'true',
  auth: { user: process.env.SMTP_USER, pass: process.env.SMTP_PASS },
  maxConnections: 3,
  maxMessages: Infinity,
  rateDelta: 1000,
  rateLimit: 10,
  tls: { rejectUnauthorized: false },
} as SMTPPool.Options);

const withService = createTransport({
  service: 'gmail',
  auth: { type: 'OAuth2', user: 'me', accessToken: 'x' },
});
const byDefault: nodemailer.Transporter = nodemailerByDefault.createTransport('smtp://localhost?pool=true');
const single: SMTPOptions = { host: 'localhost', port: 25, ignoreTLS: true, name: 'me.example' };
const json: Transporter<JSONTransport.SentMessageInfo> = createTransport({ jsonTransport: true });
const connection = new SMTPConnection({ port: 25, host: 'localhost', debug: true });
connection.connect((err) => err && connection.close());

class MailService {
  private readonly transporter: Transporter;
  private fallback: Mail | null = null;

  constructor(private readonly options: SMTPPool.Options) {
    this.transporter = createTransport(this.options, {
      from: 'me@example.com',
      headers: { 'X-App': 'mine' },
    });
    this.transporter.use('compile', (mail: MailMessage, callback) => {
      mail.data.subject = `[app] ${mail.data.subject}`;
      callback();
    });
    this.transporter.on('idle', () => this.flush());
    this.transporter.on('error', (err: Error) => console.error(err.message));
  }

  private queue: SendMailOptions[] = [];

  flush(): void {
    while (this.transporter.isIdle() && this.queue.length) {
      const message = this.queue.shift();
      if (message) this.transporter.sendMail(message, (err: Error | null) => console.log(err));
    }
  }

  async send(to: string | Address | Array<string | Address>, attachments?: Attachment[]): Promise<string> {
    const options: Mail.Options = { to, subject: 'hello', text: 'Hello.', attachments, priority: 'high' };
    const info = await this.transporter.sendMail(options);
    const any: SentMessageInfo = await (this.fallback ?? byDefault).sendMail(options);
    return [info.messageId, info.response, any.messageId].join(' ');
  }

  async ready(): Promise<boolean> {
    try {
      return await this.transporter.verify();
    } catch (err) {
      const { code, responseCode } = err as SMTPConnection.SMTPError;
      return code === 'EAUTH' && responseCode === 535;
    } finally {
      this.transporter.close();
    }
  }
}

pooled.sendMail({ from: 'a@example.com', to: ['b@example.com', { name: 'C', address: 'c@example.com' }] });
pooled.sendMail(
  { html: '<p>x</p>', list: { unsubscribe: { url: 'https://example.com', comment: 'x' } } },
  (err, info) => console.log(err?.message, info.messageId, info.accepted),
);
pooled.verify((error, success) => console.log(error, success));
nodemailer
  .createTestAccount()
  .then(({ user, pass, smtp }) => createTransport({ ...smtp, auth: { user, pass } }));

const bodies: MimeNode = new MimeNode('multipart/mixed');
void [withService, single, json, MailService, bodies, SMTPTransport];
