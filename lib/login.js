'use strict';

const XOAuth2 = require('nodemailer/lib/xoauth2');

/** Mechanisms nodemailer knows, in its order of preference. */
const MECHANISMS = ['PLAIN', 'LOGIN', 'CRAM-MD5', 'XOAUTH2'];

/** OAuth2 tokens for all connections of a pool, fetched once however many of them wait. */
class Tokens {
  /**
   * @param {object} auth nodemailer's `auth` option
   * @param {object} pool the pool; its mailer hears of new tokens
   */
  constructor(auth, pool) {
    this.pool = pool;
    this.oauth2 = new (XOAuth2.default || XOAuth2)(auth, pool.logger);
    this.oauth2.on('token', (token) => pool.mailer?.emit('token', token));
    this.oauth2.on('error', () => {});
    this.fetching = null;
    this.renewing = null;
    /** The token each connection was given last. */
    this.given = new Map();
  }

  /**
   * @param {number} connection who asks
   * @param {boolean} renew the server refused the token it was given
   * @returns {Promise<string>}
   */
  async get(connection, renew) {
    const refused = renew ? this.given.get(connection) : undefined;
    let token = await (this.renewing || this.fetch());
    if (token === refused) {
      // Still the one that was refused: nobody has renewed it yet.
      token = await this.renew();
    }
    this.given.set(connection, token);
    return token;
  }

  fetch() {
    this.fetching ??= this.ask(false).finally(() => {
      this.fetching = null;
    });
    return this.fetching;
  }

  renew() {
    this.renewing ??= this.ask(true).finally(() => {
      this.renewing = null;
    });
    return this.renewing;
  }

  async ask(renew) {
    const provision = this.pool.mailer?.get?.('oauth2_provision_cb');
    this.oauth2.provisionCallback = provision || this.oauth2.provisionCallback;
    return new Promise((resolve, reject) => {
      this.oauth2.getToken(renew, (err, token) => {
        /** Why there was no token the last time, if there was none. */
        this.failure = err;
        if (err) {
          reject(err);
        } else {
          resolve(token);
        }
      });
    });
  }

  /** A connection is gone. */
  forget(connection) {
    this.given.delete(connection);
  }
}

/** One run of the caller's authentication handler on one connection. */
class CustomLogin {
  constructor(engine, options, event) {
    this.engine = engine;
    this.connection = event.c;
    this.method = event.method;
    this.waiting = [];
    this.lastReply = null;
    this.done = false;
    this.run(options, event);
  }

  run(options, event) {
    const key = Object.keys(options.customAuth).find((name) => name.trim().toUpperCase() === this.method);
    const { auth } = options;
    const context = {
      auth: {
        type: (auth.type || '').toString().toUpperCase() || 'LOGIN',
        user: auth.user,
        credentials: { user: auth.user || '', pass: auth.pass, options: auth.options },
        method: (auth.method || '').trim().toUpperCase() || options.authMethod || false,
      },
      method: this.method,
      extensions: event.extensions,
      authMethods: MECHANISMS.filter((name) => event.mechanisms.includes(name)),
      maxAllowedSize: event.maxSize || false,
      sendCommand: (line, callback) => this.send(line, callback),
      resolve: () => this.finish(),
      reject: (err) => this.finish(err || new Error('Authentication rejected')),
    };
    try {
      const promise = options.customAuth[key](context);
      promise?.then?.(context.resolve, context.reject);
    } catch (err) {
      this.finish(err);
    }
  }

  send(line, callback) {
    let promise;
    if (!callback) {
      promise = new Promise((resolve, reject) => {
        callback = (err, data) => (err ? reject(err) : resolve(data));
      });
    }
    this.waiting.push({ line: String(line), callback });
    this.engine.authCommand(this.connection, String(line));
    return promise;
  }

  /** The server answered the oldest line. */
  reply(text) {
    const next = this.waiting.shift();
    if (!next) {
      return;
    }
    this.lastReply = text;
    const codes = text.match(/^(\d+)(?:\s(\d+\.\d+\.\d+))?\s/);
    const data = { command: next.line, response: text };
    if (codes) {
      data.status = Number(codes[1]) || 0;
      if (codes[2]) {
        data.code = codes[2];
      }
      data.text = text.slice(codes[0].length);
    } else {
      data.text = text;
      data.status = 0;
    }
    next.callback(null, data);
  }

  finish(err) {
    if (this.done) {
      return;
    }
    this.done = true;
    const text = err && String(err.message || err);
    this.engine.authDone(this.connection, `AUTH ${this.method}`, text || null, this.lastReply);
  }
}

module.exports = { CustomLogin, Tokens };
