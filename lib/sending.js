'use strict';

const { AsyncResource } = require('node:async_hooks');
const { setImmediate } = require('./timers');
const DKIM = require('nodemailer/lib/dkim');
const MailComposer = require('nodemailer/lib/mail-composer');
const { toRecord } = require('./record');
const { abortError, localError } = require('./errors');

const Dkim = DKIM.default || DKIM;
const Composer = MailComposer.default || MailComposer;

/** nodemailer's bound on the recipients of one message. */
const MAX_RECIPIENTS = 100000;

/**
 * One call of `sendMail`: plugins, then the record or the composed message, then the transport.
 * The order of steps, of log records and of errors is nodemailer's.
 */
class Sending {
  /**
   * @param {import('./transporter').Transporter} mailer
   * @param {object} mail nodemailer's MailMessage
   */
  constructor(mailer, mail) {
    this.mailer = mailer;
    this.mail = mail;
    this.signal = null;
    this.onAbort = null;
    this.settled = false;
    this.resolve = null;
    this.reject = null;
    this.callback = null;
    this.resource = null;
  }

  /** A promise of what becomes of the message. */
  promise() {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Tells a callback instead. The engine calls from outside: the caller's context goes with it. */
  tell(callback) {
    if (typeof callback !== 'function') {
      throw Object.assign(new TypeError('The callback must be a function'), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    this.callback = callback;
    this.resource = new AsyncResource('postpool.sendMail', { requireManualDestroy: true });
  }

  start() {
    const { signal } = this.mail.data;
    if (signal !== undefined && signal !== null && !this.watch(signal)) {
      return;
    }
    const { transporter, logger } = this.mailer;
    const { name, version } = transporter;
    logger.debug(
      { tnx: 'transport', name, version, action: 'send' },
      'Sending mail using %s/%s',
      name,
      version,
    );
    this.mailer._processPlugins('compile', this.mail, (err) =>
      this.unlessSettled('compile', err, this.compiled),
    );
  }

  /** Watches the caller's signal; gives false if the message ends here. */
  watch(signal) {
    if (!isAbortSignal(signal)) {
      const err = localError('The signal option must be an AbortSignal', { code: 'ECONFIG', phase: 'queue' });
      setImmediate(() => this.finish(err));
      return false;
    }
    this.signal = signal;
    this.onAbort = () => this.finish(abortError(signal));
    signal.addEventListener('abort', this.onAbort, { once: true });
    if (signal.aborted) {
      setImmediate(this.onAbort);
    }
    return !signal.aborted;
  }

  unlessSettled(step, err, next) {
    if (this.settled) {
      return;
    }
    if (err) {
      const title = step === 'compile' ? 'PluginCompile' : 'PluginStream';
      this.fail(err, { tnx: 'plugin', action: step }, title);
      return;
    }
    next.call(this);
  }

  /** The data are final: hand them over, or let nodemailer compose. */
  compiled() {
    const { mailer, mail } = this;
    try {
      if (mailer.transporter.takesRecords?.() && !mailer._userPlugins.stream?.length) {
        const record = toRecord(mail);
        mailer.transporter.count(record.reason);
        if (record.text && !mayExceed(record.text, allowedRecipients(mail.data))) {
          mail.record = record;
          this.send();
          return;
        }
      }
      compose(mail);
      this.checkRecipients(mail);
    } catch (err) {
      const context = { tnx: 'transport', action: 'send' };
      this.fail(err, context, err.code === 'EMAXRECIPIENTS' ? 'Send' : 'Compile');
      return;
    }
    mailer._processPlugins('stream', mail, (err) => this.unlessSettled('stream', err, this.streamed));
  }

  checkRecipients({ data, message }) {
    const allowed = allowedRecipients(data);
    const count = message.getEnvelope().to.length;
    if (allowed && count > allowed) {
      const text = `Message has ${count} recipients, which is over the ${allowed} allowed by maxRecipients`;
      throw localError(text, { code: 'EMAXRECIPIENTS', phase: 'queue' });
    }
  }

  streamed() {
    const { mail, mailer } = this;
    if (mail.data.dkim || mailer.dkim) {
      mail.message.processFunc((input) => this.sign(input));
    }
    this.send();
  }

  sign(input) {
    const { mail, mailer } = this;
    const dkim = mail.data.dkim ? new Dkim(mail.data.dkim) : mailer.dkim;
    mailer.logger.debug(
      {
        tnx: 'DKIM',
        messageId: mail.message.messageId(),
        dkimDomains: dkim.keys.map((key) => `${key.keySelector}.${key.domainName}`).join(', '),
      },
      'Signing outgoing message with %s keys',
      dkim.keys.length,
    );
    return dkim.sign(input, mail.data._dkim);
  }

  send() {
    // The transport answers for the signal from here on, queued work included.
    this.signal?.removeEventListener('abort', this.onAbort);
    this.mailer.transporter.send(this.mail, (err, info) => {
      if (err) {
        this.log({ err, tnx: 'transport', action: 'send' }, 'Send');
      }
      this.finish(err, info);
    });
  }

  fail(err, context, title) {
    this.log({ err, ...context }, title);
    this.finish(err);
  }

  log(record, title) {
    this.mailer.logger.error(record, `${title} Error: %s`, record.err.message);
  }

  finish(err, info) {
    if (this.settled) {
      return;
    }
    this.settled = true;
    this.signal?.removeEventListener('abort', this.onAbort);
    if (err) {
      this.mail.releaseStreams();
    }
    if (this.callback) {
      this.resource.runInAsyncScope(this.callback, undefined, err || null, info);
    } else if (err) {
      this.reject(err);
    } else {
      this.resolve(info);
    }
  }
}

/** Lets nodemailer compose a message. */
function compose(mail) {
  mail.message = new Composer(mail.data).compile();
  mail.setMailerHeader();
  mail.setPriorityHeaders();
  mail.setListHeaders();
  return mail.message;
}

/** How many recipients a message may have; 0 for any number. */
function allowedRecipients({ maxRecipients }) {
  return maxRecipients === undefined ? MAX_RECIPIENTS : maxRecipients;
}

/**
 * Whether a record could name more recipients than allowed. Every one has an `@` or an entry of its
 * own in it; counting those is cheap, and only a record with too many of them is looked at closely.
 */
function mayExceed(text, allowed) {
  if (!allowed || text.length <= allowed) {
    return false;
  }
  const marks = /@|"address":/g;
  let count = 0;
  while (count <= allowed && marks.test(text)) {
    count++;
  }
  return count > allowed;
}

/** Any object that behaves as a signal, from whichever realm. */
function isAbortSignal(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    'aborted' in value &&
    typeof value.addEventListener === 'function' &&
    typeof value.removeEventListener === 'function'
  );
}

module.exports = { Sending, compose };
