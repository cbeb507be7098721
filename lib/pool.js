'use strict';

const { EventEmitter } = require('node:events');
const SMTPPool = require('nodemailer/lib/smtp-pool');
const shared = require('nodemailer/lib/shared');
const wellKnown = require('nodemailer/lib/well-known');
const { engineOptions } = require('./options');
const { NativeBackend } = require('./native');
const { compose } = require('./sending');
const { version } = require('../package.json');

const NodemailerPool = SMTPPool.default || SMTPPool;

/**
 * The transport: nodemailer's SMTPPool in form, with the native engine behind it. Where the options
 * ask for something only Node's own sockets can do, nodemailer's pool works behind the same face.
 */
class Pool extends EventEmitter {
  /** @param {object|string} options nodemailer's pool options and postpool's own, or a URL */
  constructor(options) {
    super();
    const given = typeof options === 'string' ? { url: options } : options || {};
    this.supportsAbortSignal = true;
    this.ownGetSocket = typeof given.getSocket === 'function' ? given.getSocket : null;
    this.options = merge(given);
    this.logger = shared.getLogger(this.options, { component: this.options.component || 'smtp-pool' });
    this.name = 'SMTP (pool)';
    this.version = `${version}[client:${version}]`;
    this.paths = new Map();
    this._closed = false;
    this._backend = null;
    setImmediate(() => {
      if (this.idling) {
        this.emit('idle');
      }
      if (this.options.minConnections > 0 && !this._closed) {
        this.start();
      }
    });
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
      this._backend.pool.getSocket = fn;
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
      const native = engineOptions(this.options, this.mailer || { transporter: this });
      this._backend = native.fallback
        ? new NodemailerBackend(this, native.fallback)
        : new NativeBackend(this, native);
    }
    return this._backend;
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
    return this.start().engine === 'native';
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
      setImmediate(() => callback(closedError()));
      return false;
    }
    let backend;
    try {
      backend = this.start();
    } catch (err) {
      setImmediate(() => callback(err));
      return true;
    }
    return backend.send(mail, callback);
  }

  /**
   * Closes the pool: queued messages fail, those on their way finish unless `force` is set.
   *
   * @param {{force?: boolean}} [options]
   * @returns {Promise<void>} resolves when the last connection is gone
   */
  close(options) {
    this._closed = true;
    return this._backend ? this._backend.close(options) : Promise.resolve();
  }

  /** Whether the queue has room. */
  isIdle() {
    return this.idling;
  }

  /** Messages queued or on their way. */
  pendingCount() {
    return this._backend ? this._backend.pendingCount() : 0;
  }

  /**
   * Connects and logs in once.
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
      this.start().verify(callback);
    } catch (err) {
      setImmediate(() => callback(err));
    }
    return promise;
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.drain();
  }
}

/** nodemailer's own pool behind the same face. */
class NodemailerBackend {
  constructor(owner, reason) {
    this.engine = 'nodemailer';
    this.owner = owner;
    owner.logger.info({ tnx: 'pool', reason }, 'Using the engine of nodemailer: %s', reason);
    this.pool = new NodemailerPool(owner.options);
    this.pool.mailer = owner.mailer;
    const getSocket = owner.ownGetSocket || owner.proxySocket;
    if (getSocket) {
      this.pool.getSocket = getSocket;
    }
    // The owner has told of its first idleness, or will; this pool's would be a second one.
    setImmediate(() => {
      this.pool.on('idle', (...args) => owner.emit('idle', ...args));
      this.pool.on('clear', (...args) => owner.emit('clear', ...args));
    });
  }

  send(mail, callback) {
    if (!mail.message) {
      compose(mail);
    }
    return this.pool.send(mail, callback);
  }

  isIdle() {
    return this.pool.isIdle();
  }

  pendingCount() {
    return this.pool.pendingCount();
  }

  verify(callback) {
    this.pool.verify(callback);
  }

  async close(options) {
    this.pool.close(options);
    while (this.pool.pendingCount() > 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Options, then a URL's, then a well-known service's: the later ones win, as in nodemailer. */
function merge(given) {
  const url = given.url ? shared.parseConnectionUrl(given.url) : undefined;
  const service = given.service || url?.service;
  const options = shared.assign(false, given, url, service && (wellKnown.default || wellKnown)(service));
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
