'use strict';

const Mail = require('nodemailer/lib/mailer');
const MailMessage = require('nodemailer/lib/mailer/mail-message');
const { Sending } = require('./sending');

const BaseMail = Mail.default || Mail;
const Message = MailMessage.default || MailMessage;

/**
 * nodemailer's Mail over a native pool. A message nothing but the engine has to touch is handed
 * over as a record and composed there; every other one is composed by nodemailer.
 */
class Transporter extends BaseMail {
  /** Which engine does the work: `native` or `nodemailer`. Asking decides it. */
  get engine() {
    return this.transporter.engine;
  }

  /** Messages queued or on their way. */
  pendingCount() {
    return this.transporter.pendingCount();
  }

  /** Sends what is queued, then closes; tells what became of it. */
  drain(options) {
    return this.transporter.drain(options);
  }

  /** Starts no further message until `resume`. */
  pause() {
    this.transporter.pause();
  }

  /** Goes on after `pause`. */
  resume() {
    this.transporter.resume();
  }

  /** Changes bounds at run time. */
  resize(options) {
    this.transporter.resize(options);
  }

  /** Lets new connections use other credentials or TLS options. */
  rotate(options) {
    this.transporter.rotate(options);
  }

  /** A snapshot of the pool. */
  stats() {
    return this.transporter.stats();
  }

  /** `await using`: drains. */
  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.transporter.drain();
  }

  /** The engine passes a proxy by itself, unless the caller brought a handler for it. */
  setupProxy(proxyUrl) {
    super.setupProxy(proxyUrl);
    this.transporter.setProxy(proxyUrl, this.getSocket);
    this.getSocket = false;
  }

  /**
   * Sends a message.
   *
   * @param {object} data nodemailer's message fields, and `lane` and `timeout`
   * @param {(err: Error|null, info?: object) => void} [callback]
   * @returns {Promise<object>|undefined} a promise if there is no callback
   */
  sendMail(data, callback = null) {
    if (typeof this.getSocket === 'function') {
      this.transporter.getSocket = this.getSocket;
      this.getSocket = false;
    }
    const sending = new Sending(this, new Message(this, data));
    const promise = callback ? sending.tell(callback) : sending.promise();
    sending.start();
    return promise;
  }
}

module.exports = { Transporter };
