'use strict';

const { localError } = require('./errors');

/** Accounts that may have messages on their way at the same time. */
const MAX_ACCOUNTS = 100;

/**
 * The pools of a pool: one for each account that messages brought credentials for. A connection
 * never serves two accounts. Such a pool goes when its last connection has gone.
 */
class Accounts {
  /** @param {import('./pool').Pool} owner */
  constructor(owner) {
    this.owner = owner;
    this.byKey = new Map();
    /** Every pool that may still have messages: those in `byKey`, and those that are leaving. */
    this.pools = new Set();
    this.functions = new WeakMap();
  }

  /**
   * The pool for a message with these credentials, or nothing if they are the owner's.
   *
   * @param {object} [auth] the message's `auth`; it adds to the transport's, as in nodemailer
   * @throws {Error} when too many accounts are busy
   */
  poolFor(auth) {
    if (!auth || typeof auth !== 'object') {
      return null;
    }
    const own = this.owner.options.auth;
    const merged = { ...own, ...auth };
    const key = this.keyOf(merged);
    if (own && key === this.keyOf(own)) {
      return null;
    }
    const pool = this.byKey.get(key) || this.open(key, merged);
    // The one used last is the last to be given up.
    this.byKey.delete(key);
    this.byKey.set(key, pool);
    return pool;
  }

  /** The same text for the same credentials; a function counts as itself. */
  keyOf(auth) {
    const plain = (name, value) => {
      if (typeof value !== 'function') {
        return value;
      }
      if (!this.functions.has(value)) {
        this.functions.set(value, `function ${(this.count = (this.count || 0) + 1)}`);
      }
      return this.functions.get(value);
    };
    return JSON.stringify(Object.entries(auth).sort(), plain);
  }

  open(key, auth) {
    this.makeRoom();
    const options = { ...this.owner.options, auth, minConnections: 0 };
    // They are merged in already, and would bring their own credentials back.
    delete options.url;
    delete options.service;
    const pool = new this.owner.constructor(options, this.owner);
    this.byKey.set(key, pool);
    this.pools.add(pool);
    pool.on('clear', () => {
      if (!pool.pendingCount()) {
        this.leave(key, pool);
      }
    });
    return pool;
  }

  makeRoom() {
    if (this.byKey.size < MAX_ACCOUNTS) {
      return;
    }
    for (const [key, pool] of this.byKey) {
      if (!pool.pendingCount()) {
        this.leave(key, pool);
        return;
      }
    }
    const text = `More than ${MAX_ACCOUNTS} accounts have messages on their way`;
    throw localError(text, { code: 'EQUEUEFULL', command: 'API', phase: 'queue' });
  }

  /** No further message goes to this pool; it sends what it has. */
  leave(key, pool) {
    if (this.byKey.get(key) === pool) {
      this.byKey.delete(key);
    }
    pool.drain().then(() => this.pools.delete(pool));
  }

  /** Credentials or TLS changed: later messages get pools made anew. */
  renew() {
    for (const [key, pool] of [...this.byKey]) {
      this.leave(key, pool);
    }
  }

  isIdle() {
    return [...this.pools].every((pool) => pool.isIdle());
  }

  /** Calls a method of every pool; resolves when all have done it. */
  all(method, ...args) {
    return Promise.all([...this.pools].map((pool) => pool[method](...args)));
  }
}

module.exports = { Accounts, MAX_ACCOUNTS };
