'use strict';

const { setImmediate } = require('./timers');
const SMTPPool = require('nodemailer/lib/smtp-pool');
const { configError } = require('./options');
const { checkHeaders } = require('./outgoing');
const { compose, sign } = require('./sending');

const NodemailerPool = SMTPPool.default || SMTPPool;

/** nodemailer's own pool behind the same face. */
class NodemailerBackend {
  /**
   * @param {import('./pool').Pool} owner
   * @param {string} reason what the native engine cannot do
   */
  constructor(owner, reason) {
    this.engine = 'nodemailer';
    this.owner = owner;
    this.waiting = [];
    this.paused = false;
    /** Pools of earlier generations that still have messages on their way. */
    this.leaving = new Set();
    owner.logger.info({ tnx: 'pool', reason }, 'Using the engine of nodemailer: %s', reason);
    if (owner.options.hosts?.length > 1) {
      owner.logger.warn({ tnx: 'pool' }, 'The engine of nodemailer sends to the first of the hosts only');
    }
    this.pool = this.makePool();
  }

  makePool() {
    const { owner } = this;
    const pool = new NodemailerPool(owner.options);
    pool.mailer = owner.mailer;
    const getSocket = owner.ownGetSocket || owner.proxySocket;
    if (getSocket) {
      pool.getSocket = guarded(getSocket);
    }
    // The owner has told of its first idleness, or will; this pool's would be a second one.
    setImmediate(() => {
      pool.on('idle', () => pool === this.pool && owner.becameIdle());
      pool.on('clear', () => pool === this.pool && owner.emit('clear'));
    });
    return pool;
  }

  set getSocket(fn) {
    this.pool.getSocket = guarded(fn);
  }

  /** @param {import('./job').Job} job */
  send(job) {
    const { mail } = job;
    if (!mail.message) {
      compose(mail);
      sign(mail);
    }
    checkHeaders(mail.message);
    textualId(mail.message);
    return this.pool.send(mail, (err, info) => {
      setImmediate(() => this.checkEnd());
      job.settle(err || null, info);
    });
  }

  /** Wakes who waits for the last message. */
  checkEnd() {
    for (const pool of this.leaving) {
      if (!isSending(pool)) {
        this.leaving.delete(pool);
        pool.close();
      }
    }
    if (!this.pendingCount()) {
      for (const resolve of this.waiting.splice(0)) {
        resolve();
      }
    }
  }

  isIdle() {
    return this.pool.isIdle();
  }

  pendingCount() {
    const pools = [this.pool, ...this.leaving];
    return pools.reduce((sum, pool) => sum + pool.pendingCount(), 0);
  }

  verify(callback) {
    this.pool.verify(callback);
  }

  close(options) {
    for (const pool of [this.pool, ...this.leaving]) {
      pool.close(options);
    }
    return this.lastSettled();
  }

  async drain() {
    this.pause(false);
    await this.lastSettled();
    this.pool.close();
  }

  lastSettled() {
    if (!this.pendingCount()) {
      return Promise.resolve();
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** nodemailer's pool hands out messages in one place; there it is held. */
  pause(paused) {
    const { pool } = this;
    this.paused = paused;
    if (paused) {
      pool._processMessages = () => {};
    } else if (Object.hasOwn(pool, '_processMessages')) {
      delete pool._processMessages;
      for (let i = 0; i < pool.options.maxConnections; i++) {
        pool._processMessages();
      }
    }
  }

  /** @throws {Error} for what nodemailer's pool cannot do */
  resize({ maxConnections, minConnections, rate }) {
    if (minConnections) {
      throw configError('minConnections needs the native engine');
    }
    if (maxConnections !== undefined) {
      this.pool.options.maxConnections = maxConnections;
    }
    if (rate !== undefined) {
      this.pool._rateLimit.limit = rate ? rate.limit : 0;
      this.pool._rateLimit.delta = rate ? rate.delta : 1000;
    }
  }

  /** What is on its way is finished; what waits, and what comes, follows the new options. */
  rotate() {
    const old = this.pool;
    this.pool = this.makePool();
    this.leaving.add(old);
    this.pause(this.paused);
    for (const { mail, callback } of old._queue.splice(0)) {
      this.pool.send(mail, callback);
    }
    for (const connection of old._connections.filter(({ available }) => available)) {
      connection.close();
    }
    this.checkEnd();
    return this;
  }

  snapshot() {
    return null;
  }
}

/** nodemailer's pool takes the id of a message for text, whatever it is. */
function textualId(message) {
  const id = message.getHeader?.('message-id');
  if (id && typeof id !== 'string') {
    message.setHeader('message-id', String(id));
  }
}

/** Whether a pool of nodemailer's has messages waiting or on their way. */
function isSending({ _queue, _connections }) {
  return _queue.length > 0 || _connections.some(({ queueEntry }) => queueEntry);
}

/** A way to a socket that throws fails the connection, where nodemailer would let the process die. */
function guarded(getSocket) {
  return (options, callback) => {
    try {
      getSocket(options, callback);
    } catch (err) {
      setImmediate(() => callback(err));
    }
  };
}

module.exports = { NodemailerBackend };
