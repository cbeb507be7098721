'use strict';

const shared = require('nodemailer/lib/shared');
const { abortError, describe, localError, toError } = require('./errors');
const { Feeder } = require('./feeder');
const { IdleMirror } = require('./idle');
const { toInfo } = require('./info');
const { CustomLogin, Tokens } = require('./login');
const { envelopeOf } = require('./outgoing');

/** Backends with work: what the engine still owes an answer for must not be collected. */
const busy = new Set();

/** A pool that was forgotten without `close` finishes what it has and closes. */
const forgotten = new FinalizationRegistry((engine) => engine.drain());

/** The native engine behind a pool: jobs in, events out. */
class NativeBackend {
  /**
   * @param {import('./pool').Pool} owner
   * @param {{json: string, tls: object, proxyTls?: object}} options
   */
  constructor(owner, options) {
    this.engine = 'native';
    this.owner = owner;
    this.jobs = new Map();
    this.requests = new Map();
    this.ehlo = new Map();
    this.logins = new Map();
    this.lastId = 0;
    this.ended = null;
    this.idle = new IdleMirror(owner.options.maxConnections, () => owner.emit('idle'));
    const { auth } = owner.options;
    const oauth2 = auth && (auth.type || '').toString().toUpperCase() === 'OAUTH2';
    this.tokens = oauth2 ? new Tokens(auth, owner) : null;
    this.native = start(this, options);
    forgotten.register(this, this.native);
  }

  send(mail, callback) {
    const id = ++this.lastId;
    const job = { mail, callback, feeder: null, stopWatching: null };
    this.jobs.set(id, job);
    if (this.jobs.size === 1) {
      this.hold(true);
    }
    const { signal } = mail.data || {};
    if (signal) {
      job.stopWatching = this.watch(id, signal);
      if (signal.aborted) {
        return true;
      }
    }
    try {
      this.submit(id, mail);
    } catch (err) {
      setImmediate(() => this.settle(id, err));
      return true;
    }
    this.idle.added();
    job.counted = true;
    return true;
  }

  submit(id, { record, data, message }) {
    const lane = data?.lane === undefined ? null : String(data.lane);
    const timeout = data?.timeout > 0 ? Math.ceil(data.timeout) : null;
    if (record) {
      this.native.send(id, record.json, record.parts, lane, timeout);
    } else {
      this.native.sendStreamed(id, JSON.stringify(envelopeOf({ data, message })), lane, timeout);
    }
    if (!this.gathering) {
      // The engine's thread is woken once for all that is sent in this turn.
      this.gathering = true;
      queueMicrotask(() => {
        this.gathering = false;
        this.native.flush();
      });
    }
  }

  /** Gives a message up when its signal aborts; gives the function that stops watching. */
  watch(id, signal) {
    const onAbort = () => {
      if (this.jobs.get(id)?.counted) {
        this.native.cancel(id);
      } else {
        this.settle(id, Object.assign(abortError(signal), { phase: 'queue', maybeDelivered: false }));
      }
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) {
      setImmediate(onAbort);
    }
    return () => signal.removeEventListener('abort', onAbort);
  }

  /** Takes a batch of events, in order. A listener that throws costs nobody the next event. */
  take(batch) {
    for (const event of JSON.parse(batch)) {
      try {
        this[`on_${event.k}`]?.(event);
      } catch (err) {
        process.nextTick(() => {
          throw err;
        });
      }
    }
  }

  on_sent(event) {
    this.settle(event.id, null, event);
  }

  on_failed(event) {
    const job = this.jobs.get(event.id);
    if (event.e.tlsIncompatible && job) {
      this.handOver(event.id, job, event.e.message);
      return;
    }
    const own = job?.feeder?.error;
    if (event.e.code === 'EABORT') {
      this.settle(event.id, describe(abortError(job?.mail.data?.signal), event.e));
    } else if (own && event.e.code === 'ESTREAM') {
      this.settle(event.id, describe(own, event.e));
    } else {
      this.settle(event.id, toError(event.e));
    }
  }

  /** The server speaks a TLS this engine does not: nodemailer's takes over, message and all. */
  handOver(id, job, reason) {
    const { logger } = this.owner;
    const backend = this.owner.moveToNodemailer('tls');
    logger.warn({ tnx: 'pool', reason }, 'The server needs the TLS of nodemailer: %s', reason);
    this.jobs.delete(id);
    job.stopWatching?.();
    this.release();
    backend.send(job.mail, job.callback);
  }

  /** Nothing new comes here: finish and close. */
  leave() {
    this.idle.closed = true;
    this.native.drain();
  }

  on_open({ id, attempt }) {
    const job = this.jobs.get(id);
    if (!job) {
      this.native.end(id, attempt, 'The message is settled');
      return;
    }
    job.feeder = new Feeder(this.native, id, attempt);
    job.feeder.start(job.mail.message);
  }

  on_drain({ id, attempt }) {
    const feeder = this.jobs.get(id)?.feeder;
    if (feeder?.attempt === attempt) {
      feeder.resume();
    }
  }

  'on_closed stream'({ id, attempt }) {
    const feeder = this.jobs.get(id)?.feeder;
    if (feeder?.attempt === attempt) {
      feeder.stop();
    }
  }

  on_ready({ c, d }) {
    this.ehlo.set(c, d.ehlo);
  }

  on_closed({ c }) {
    this.ehlo.delete(c);
    this.logins.delete(c);
    this.tokens?.forget(c);
  }

  on_empty() {
    if (!this.owner._closed && this.idle.idling) {
      this.owner.emit('clear');
    }
  }

  on_token({ c, renew }) {
    if (!this.tokens) {
      this.native.token(c, null, 'No OAuth2 options');
      return;
    }
    this.tokens.get(c, renew).then(
      (token) => this.native.token(c, String(token), null),
      (err) => this.native.token(c, null, String(err.message)),
    );
  }

  on_auth(event) {
    this.logins.set(event.c, new CustomLogin(this.native, this.owner.options, event));
  }

  on_authReply({ c, text }) {
    this.logins.get(c)?.reply(text);
  }

  on_verified({ id, d, e }) {
    const done = this.requests.get(id);
    this.requests.delete(id);
    const { options } = this.owner;
    const anonymous = !options.auth || (!this.tokens && !options.auth.user && !options.auth.pass);
    if (!e && anonymous && d.offersAuth && options.forceAuth) {
      done(localError('Authentication info was not provided', { code: 'ENOAUTH', phase: 'auth' }));
    } else if (e) {
      done(toError(e));
    } else {
      done(null, true);
    }
    this.release();
  }

  on_log({ c, lines }) {
    const logger = (this.wireLogger ??= shared.getLogger(this.owner.options, {
      component: this.owner.options.component || 'smtp-connection',
    }));
    for (const [side, text] of lines) {
      logger.debug({ tnx: side === 'C' ? 'client' : 'server', cid: c }, text);
    }
  }

  on_crashed({ e }) {
    for (const id of [...this.jobs.keys()]) {
      this.settle(id, toError(e));
    }
    this.on_ended();
  }

  on_ended() {
    this.finished = true;
    this.ended?.resolve();
    this.release();
  }

  /** Calls back, once. */
  settle(id, err, event) {
    const job = this.jobs.get(id);
    if (!job) {
      return;
    }
    this.jobs.delete(id);
    job.stopWatching?.();
    job.feeder?.stop();
    this.release();
    try {
      if (err) {
        job.callback(err);
      } else {
        job.callback(null, toInfo(event, this.ehlo.get(event.c), this.owner.options.host));
      }
    } catch (E) {
      this.owner.logger.error({ err: E, tnx: 'callback', cid: event?.c }, 'Callback error: %s', E.message);
    }
    if (job.counted) {
      this.idle.removed();
    }
  }

  isIdle() {
    return this.idle.idling;
  }

  pendingCount() {
    return this.jobs.size;
  }

  verify(callback) {
    if (this.finished) {
      // The engine ended with the pool; one of its own answers this.
      const other = new NativeBackend(this.owner, require('./options').engineOptions(this.owner.options));
      other.verify((err, ok) => {
        other.close();
        callback(err, ok);
      });
      return;
    }
    const id = ++this.lastId;
    this.requests.set(id, callback);
    this.hold(true);
    this.native.verify(id);
  }

  close(options) {
    this.idle.closed = true;
    this.ended ??= deferred();
    if (this.finished) {
      this.ended.resolve();
    } else {
      this.native.close(!!options?.force, this.idle.assigned);
      this.hold(true);
    }
    return this.ended.promise;
  }

  /** Node stays alive exactly while something is owed. */
  hold(on) {
    if (this.held !== on) {
      this.held = on;
      this.native.hold(on);
      busy[on ? 'add' : 'delete'](this);
    }
  }

  release() {
    const closing = this.ended && !this.finished;
    if (!this.jobs.size && !this.requests.size && !closing) {
      this.hold(false);
    }
  }
}

/** Starts an engine that does not keep its backend from being collected. */
function start(backend, { json, tls, proxyTls }) {
  const target = new WeakRef(backend);
  // Loaded with the first pool: an application that only requires the package pays nothing.
  const { Engine } = require('../binding.js');
  const engine = new Engine(json, tls, proxyTls ?? null, (batch) => {
    // One batch a turn of the event loop: whatever else waits for its turn gets it.
    setImmediate(next);
    if (batch) {
      target.deref()?.take(batch);
    }
  });
  const next = () => engine.next();
  return engine;
}

function deferred() {
  let resolve;
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

module.exports = { NativeBackend };
