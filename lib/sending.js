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
    /** Nothing once the engine has all there is of the message. */
    this.mail = mail;
    /** Tells the caller, once: a promise's `resolve`, or a {@link Listener}. */
    this.caller = null;
    /** The caller's signal and what is called when it aborts, while this here answers for it. */
    this.watched = null;
  }

  /** A promise of what becomes of the message. */
  promise() {
    return new Promise((resolve) => {
      this.caller = resolve;
    });
  }

  /** Tells a callback instead. */
  tell(callback) {
    if (typeof callback !== 'function') {
      throw Object.assign(new TypeError('The callback must be a function'), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    this.caller = new Listener(callback);
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
    const onAbort = () => this.finish(abortError(signal));
    this.watched = { signal, onAbort };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) {
      setImmediate(onAbort);
    }
    return !signal.aborted;
  }

  stopWatching() {
    this.watched?.signal.removeEventListener('abort', this.watched.onAbort);
    this.watched = null;
  }

  unlessSettled(step, err, next) {
    if (!this.caller) {
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
          this.stopWatching();
          mailer.transporter.take(this);
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
    sign(this.mail);
    this.stopWatching();
    this.mailer.transporter.send(this.mail, (err, info) => this.over(err, info));
  }

  /** The transport, which answers for the signal as well once it has the message, is done with it. */
  over(err, info) {
    if (err) {
      this.log({ err, tnx: 'transport', action: 'send' }, 'Send');
    }
    this.finish(err, info);
  }

  /** The caller's data are not needed any more. */
  forget() {
    this.mail = null;
  }

  fail(err, context, title) {
    this.log({ err, ...context }, title);
    this.finish(err);
  }

  log(record, title) {
    this.mailer.logger.error(record, `${title} Error: %s`, record.err.message);
  }

  finish(err, info) {
    const { caller } = this;
    if (!caller) {
      return;
    }
    this.caller = null;
    this.stopWatching();
    if (err) {
      this.mail?.releaseStreams();
    }
    if (caller instanceof Listener) {
      caller.tell(err || null, info);
    } else {
      // A message that waits keeps one function of its promise, not two.
      caller(err ? Promise.reject(err) : info);
    }
  }
}

/** A caller who gave a callback. The engine calls from outside: the caller's context goes with it. */
class Listener extends AsyncResource {
  constructor(callback) {
    super('postpool.sendMail', { requireManualDestroy: true });
    this.callback = callback;
  }

  tell(err, info) {
    this.runInAsyncScope(this.callback, undefined, err, info);
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

/** Has a message that nodemailer composed signed on its way out, if it is to be. */
function sign({ mailer, data, message }) {
  if (!data.dkim && !mailer.dkim) {
    return;
  }
  message.processFunc((input) => {
    const dkim = data.dkim ? new Dkim(data.dkim) : mailer.dkim;
    mailer.logger.debug(
      {
        tnx: 'DKIM',
        messageId: message.messageId(),
        dkimDomains: dkim.keys.map((key) => `${key.keySelector}.${key.domainName}`).join(', '),
      },
      'Signing outgoing message with %s keys',
      dkim.keys.length,
    );
    return dkim.sign(input, data._dkim);
  });
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

module.exports = { Sending, compose, sign };
