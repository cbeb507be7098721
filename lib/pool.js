'use strict';

const { EventEmitter } = require('node:events');
const { setImmediate, setTimeout, clearTimeout } = require('./timers');
const shared = require('nodemailer/lib/shared');
const { default: SMTPPool } = require('nodemailer/lib/smtp-pool');
const wellKnown = require('nodemailer/lib/well-known');
const { Accounts } = require('./accounts');
const { addon } = require('./addon');
const { Job } = require('./job');
const { engineOptions, resizeOptions } = require('./options');
const { NativeBackend } = require('./native');
const { NodemailerBackend } = require('./nodemailer-backend');
const { poolStats } = require('./stats');
const { Tally } = require('./tally');
const { Watch } = require('./watch');
const { version } = require('../package.json');

/** nodemailer's pool in kind, for those who ask by `instanceof`; its constructor is not run. */
function Kind() {
  return Reflect.construct(EventEmitter, [], new.target);
}
Kind.prototype = SMTPPool.prototype;

/**
 * The transport: nodemailer's SMTPPool in form, with the native engine behind it. Where the options
 * ask for something only Node's own sockets can do, nodemailer's pool works behind the same face.
 */
class Pool extends Kind {
  /**
   * @param {object|string} options nodemailer's pool options and postpool's own, or a URL
   * @param {Pool} [parent] the pool this one serves an account of
   */
  constructor(options, parent = null) {
    super();
    const given = typeof options === 'string' ? { url: options } : options || {};
    this.parent = parent;
    this.supportsAbortSignal = true;
    this.ownGetSocket = typeof given.getSocket === 'function' ? given.getSocket : null;
    this.options = merge(given);
    this.logger = shared.getLogger(this.options, { component: this.options.component || 'smtp-pool' });
    this.name = 'SMTP (pool)';
    this.version = `${version}[client:${version}]`;
    this.paths = new Map();
    this.tally = new Tally();
    this.watch = new Watch(parent || this);
    this.accounts = new Accounts(this);
    this.paused = false;
    this.draining = null;
    this._closed = false;
    this._backend = null;
    if (parent) {
      this.mailer = parent.mailer;
      this.proxySocket = parent.proxySocket;
    }
    setImmediate(() => this.begin());
  }

  begin() {
    if (this.isIdle()) {
      this.emit('idle');
    }
    if (this.options.minConnections > 0 && !this._closed) {
      this.start();
    }
  }

  /** Which engine does the work: `native` or `nodemailer`. Asking decides it. */
  get engine() {
    return this.start().engine;
  }

  get idling() {
    return this._backend ? this._backend.isIdle() : true;
  }

  /** A function of the caller's that opens sockets: only Node's own can drive them. */
  set getSocket(fn) {
    this.ownGetSocket = fn;
    if (this._backend?.engine === 'nodemailer') {
      this._backend.getSocket = fn;
    } else if (this._backend) {
      this.moveToNodemailer('getSocket');
    }
  }

  get getSocket() {
    return this.ownGetSocket || ((options, callback) => setImmediate(() => callback(null, false)));
  }

  /** Decides for an engine, once, and starts it. */
  start() {
    if (!this._backend) {
      this._backend = this.makeBackend();
      if (this.paused) {
        this._backend.pause(true);
      }
    }
    return this._backend;
  }

  makeBackend() {
    const native = this.nativeOptions();
    return native.fallback ? new NodemailerBackend(this, native.fallback) : new NativeBackend(this, native);
  }

  nativeOptions() {
    const options = engineOptions(this.options, this.mailer || { transporter: this });
    const { missing } = options.fallback ? {} : addon();
    return missing ? { fallback: missing } : options;
  }

  /** A proxy, as a URL and as nodemailer's way through it. */
  setProxy(url, socket) {
    this.options.proxy = url;
    this.proxySocket = socket;
  }

  /** From here on nodemailer's engine works; what the native one has begun it finishes. */
  moveToNodemailer(reason) {
    if (this._backend?.engine === 'native') {
      this._backend.leave();
      this._backend = new NodemailerBackend(this, reason);
      if (this.paused) {
        this._backend.pause(true);
      }
    }
    return this._backend;
  }

  /** Counts how messages come in: as records, or composed for this reason. */
  count(reason) {
    const name = reason ?? 'native';
    this.paths.set(name, (this.paths.get(name) || 0) + 1);
  }

  /** Whether messages may be handed over as records rather than composed. */
  takesRecords() {
    const { logger, debug } = this.options;
    // Under `debug` the log shows every line of a message, and a `send` that somebody put around this
    // one may look into it; nodemailer's composer makes it here.
    const wrapped = this.send !== Pool.prototype.send;
    return this.start().engine === 'native' && !wrapped && !(logger && debug);
  }

  /**
   * Queues a message.
   *
   * @param {object} mail nodemailer's MailMessage, or anything with `data` and `message`
   * @param {(err: Error|null, info?: object) => void} callback called exactly once
   * @returns {boolean} false when the pool is closed
   */
  send(mail, callback) {
    if (this._closed) {
      setImmediate(() => callback(closedError(), undefined));
      return false;
    }
    return this.watch.traced(mail, callback, (_mail, over) => this.queue(mail, { over }));
  }

  /**
   * Queues a message that is a record, as `send` does.
   *
   * @param {import('./sending').Sending} sending
   */
  take(sending) {
    if (this._closed || this.watch.traces) {
      return this.send(sending.mail, (err, info) => sending.over(err, info));
    }
    return this.queue(sending.mail, sending);
  }

  /** Queues a message of this pool, or, where the waiter is the parent's job, of one of its accounts. */
  queue(mail, waiter) {
    const job = new Job(this, mail, waiter);
    if (!this.parent) {
      this.watch.queued(job);
    }
    try {
      const account = this.accounts.poolFor(mail.data?.auth);
      return account ? account.queue(mail, job) : this.start().send(job);
    } catch (err) {
      setImmediate(() => job.settle(err, undefined));
      return true;
    }
  }

  /** An engine has room again. */
  becameIdle() {
    if (!this.isIdle()) {
      return;
    }
    this.emit('idle');
    this.parent?.becameIdle();
  }

  /**
   * Closes the pool: queued messages fail, those on their way finish unless `force` is set.
   *
   * @param {{force?: boolean}} [options]
   * @returns {Promise<void>} resolves when the last connection is gone
   */
  close(options) {
    this._closed = true;
    return Promise.all([this._backend?.close(options), this.accounts.all('close', options)]).then(() => {});
  }

  /**
   * Sends what is queued, then closes. A second call gets the result of the first.
   *
   * @param {{timeout?: number}} [options] milliseconds after which what is left fails
   * @returns {Promise<{sent: number, failed: number, inDoubt: number, remaining: number}>}
   */
  drain(options) {
    this.draining ??= this.drainOnce(options?.timeout);
    return this.draining;
  }

  async drainOnce(timeout) {
    this._closed = true;
    this.paused = false;
    const before = this.tally.outcomes();
    const runOut = () => {
      this.tally.ranOut = true;
      this.close({ force: true });
    };
    const deadline = timeout > 0 && timeout < Infinity ? setTimeout(runOut, timeout) : null;
    let backend;
    do {
      backend = this._backend;
      await Promise.all([backend?.drain(), this.accounts.all('drain')]);
      // A server may have needed the other engine meanwhile.
    } while (backend !== this._backend);
    clearTimeout(deadline);
    return this.tally.since(before);
  }

  /** Starts no further message until `resume`; what is on its way is finished. */
  pause() {
    this.setPaused(true);
  }

  /** Goes on after `pause`. */
  resume() {
    this.setPaused(false);
  }

  setPaused(paused) {
    if (this._closed || this.paused === paused) {
      return;
    }
    this.paused = paused;
    this._backend?.pause(paused);
    this.accounts.all(paused ? 'pause' : 'resume');
  }

  /**
   * Changes bounds at run time.
   *
   * @param {{maxConnections?: number, minConnections?: number, rateLimit?: number}} options
   * @throws {Error} `ECONFIG` for a bound that is none
   */
  resize(options) {
    const bounds = resizeOptions(options || {}, this.options);
    if (this._backend || bounds.minConnections) {
      this.start().resize(bounds);
    }
    Object.assign(this.options, options);
    this.accounts.all('resize', { ...options, minConnections: 0 });
  }

  /**
   * Lets new connections use other credentials or TLS options; those of now finish their message
   * and go.
   *
   * @param {{auth?: object, tls?: object}} [options]
   * @throws {Error} for options no engine can use; nothing has changed then
   */
  rotate({ auth = this.options.auth, tls = this.options.tls } = {}) {
    const before = this.options;
    this.options = { ...before, auth, tls };
    try {
      this._backend = this._backend && this._backend.rotate(this.nativeOptions());
    } catch (err) {
      this.options = before;
      throw err;
    }
    this.accounts.renew();
  }

  /** A snapshot of the pool. */
  stats() {
    return poolStats(this);
  }

  /** Whether the queue has room. */
  isIdle() {
    return this.idling && this.accounts.isIdle();
  }

  /** Messages queued or on their way. */
  pendingCount() {
    return this.tally.pending;
  }

  /**
   * Connects and logs in once. Works after `close` as well.
   *
   * @param {(err: Error|null, ok?: true) => void} [callback]
   * @returns {Promise<true>|undefined}
   */
  verify(callback) {
    let promise;
    if (!callback) {
      promise = new Promise((resolve, reject) => {
        callback = shared.callbackPromise(resolve, reject);
      });
    }
    try {
      const temporary = this._closed && this.makeBackend();
      (temporary || this.start()).verify((err, ok) => {
        if (temporary) {
          temporary.close();
        }
        if (err) {
          callback(err);
        } else {
          callback(null, ok);
        }
      });
    } catch (err) {
      setImmediate(() => callback(err));
    }
    return promise;
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.drain();
  }
}

/** Options, then a URL's, then a well-known service's: the later ones win, as in nodemailer. */
function merge(given) {
  const url = given.url ? shared.parseConnectionUrl(given.url) : undefined;
  const service = given.service || url?.service;
  const options = shared.assign(false, given, url, service && (wellKnown.default || wellKnown)(service));
  if (Array.isArray(options.hosts) && options.hosts.length) {
    // For whatever knows one host only: nodemailer's engine, its proxies, its log.
    const [first] = options.hosts;
    options.host = first?.host ?? first;
    options.port = first?.port ?? options.port;
  }
  options.maxConnections = options.maxConnections || 5;
  options.maxMessages = options.maxMessages || 100;
  options.maxRequeues = typeof options.maxRequeues === 'number' ? options.maxRequeues : 5;
  options.idleTimeout = typeof options.idleTimeout === 'number' ? options.idleTimeout : 4 * 60 * 1000;
  return options;
}

function closedError() {
  return Object.assign(new Error('Connection pool was closed'), {
    code: 'ECONNECTION',
    phase: 'queue',
    maybeDelivered: false,
  });
}

module.exports = { Pool };
