'use strict';

const { setImmediate } = require('./timers');
const { addon } = require('./addon');
const { Admission } = require('./admission');
const { abortError, describe, localError, toError } = require('./errors');
const { Feeder } = require('./feeder');
const { handOver, movedAway } = require('./handover');
const { IdleMirror } = require('./idle');
const { Inbox } = require('./inbox');
const { toInfo } = require('./info');
const { PoolLog } = require('./log');
const { CustomLogin, Tokens } = require('./login');
const { checkHeaders, envelopeOf } = require('./outgoing');
const { Slots, keyOf } = require('./slots');

/** Backends with work: what the engine still owes an answer for must not be collected. */
const busy = new Set();

/** A pool that was forgotten without `close` finishes what it has and closes. */
const forgotten = new FinalizationRegistry((engine) => engine.drain());

/** The native engine behind a pool: jobs in, events out. */
class NativeBackend {
  /**
   * @param {import('./pool').Pool} owner
   * @param {{json: string, tls: object, proxyTls?: object, hosts: {host: string, port: number}[]}} options
   */
  constructor(owner, options) {
    this.engine = 'native';
    this.owner = owner;
    this.jobs = new Slots();
    this.admission = new Admission((job) => this.admit(job));
    this.requests = new Map();
    this.ehlo = new Map();
    this.logins = new Map();
    this.lastId = 0;
    this.ended = deferred();
    this.finished = false;
    this.closing = false;
    /** Another engine took over. */
    this.moved = false;
    this.idle = new IdleMirror(owner.options.maxConnections, () => owner.becameIdle());
    this.log = owner.options.logger ? new PoolLog(owner.options, owner.logger) : null;
    this.hosts = options.hosts.map(({ host, port }) => ({ host, port }));
    /** Where each connection leads. */
    this.places = new Map();
    this.tokens = tokensFor(owner);
    this.native = start(this, options, engineOf(owner.parent));
    forgotten.register(this, this.native);
  }

  /** @param {import('./job').Job} job */
  send(job) {
    this.jobs.add(job);
    if (this.jobs.size === 1) {
      this.hold(true);
    }
    const signal = job.mail.data?.signal;
    if (signal) {
      Object.assign(job.more, { signal, stopWatching: this.watch(job, signal) });
      if (signal.aborted) {
        return true;
      }
    }
    if (!this.admission.admits(job) || this.admit(job)) {
      this.idle.added();
      job.counted = true;
    }
    return true;
  }

  /** Gives whether the engine took the message. */
  admit(job) {
    try {
      this.submit(job);
      return true;
    } catch (err) {
      setImmediate(() => this.settle({ id: keyOf(job) }, err));
      return false;
    }
  }

  submit(job) {
    const { lane = null, mail } = job;
    const { record, data, message } = mail;
    const key = keyOf(job);
    const timeout = data?.timeout > 0 ? Math.ceil(data.timeout) : null;
    if (record) {
      this.native.send(key, record.text, record.parts, lane, timeout);
      // The engine holds it from here on; should another one have to send it, it gives it back.
      mail.record = null;
      if (record.isWhole) {
        job.forget();
      }
    } else {
      checkHeaders(message);
      this.native.sendStreamed(key, JSON.stringify(envelopeOf({ data, message })), lane, timeout);
    }
    this.flushLater();
  }

  /** The engine's thread is woken once for all that is sent in this turn. */
  flushLater() {
    if (!this.flushing) {
      this.flushing = true;
      // A promise and not `queueMicrotask`, which a test's fake timers replace.
      Promise.resolve().then(() => {
        this.flushing = false;
        this.native.flush();
      });
    }
  }

  /** Gives a message up when its signal aborts; gives the function that stops watching. */
  watch(job, signal) {
    const onAbort = () => {
      if (job.counted && !this.admission.drop(job)) {
        this.native.cancel(keyOf(job));
      } else {
        const err = Object.assign(abortError(signal), { phase: 'queue', maybeDelivered: false });
        this.settle({ id: keyOf(job) }, err);
      }
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) {
      setImmediate(onAbort);
    }
    return () => signal.removeEventListener('abort', onAbort);
  }

  /** What happened in the engine. */
  take(event) {
    this[`on_${event.k}`]?.(event);
  }

  on_sent(event) {
    this.settle(event, null);
  }

  on_failed(event) {
    const job = this.jobs.get(event.id);
    const toldToWait = event.e.phase === 'queue' && event.e.code === 'ECONNECTION';
    if (job && (event.e.tlsIncompatible || (this.moved && toldToWait))) {
      handOver(this, job, event.e);
      return;
    }
    const own = job?.rare?.feeder?.error;
    if (event.e.code === 'EABORT') {
      this.settle(event, describe(abortError(job?.rare?.signal), event.e));
    } else if (own && event.e.code === 'ESTREAM') {
      this.settle(event, describe(own, event.e));
    } else {
      this.settle(event, this.errorOf(event.e));
    }
  }

  /** An error of the engine's; what a token server or a proxy said stays as it was, as in nodemailer. */
  errorOf(e) {
    const failure = this.tokens?.failure;
    if (failure && e.command === 'AUTH XOAUTH2' && e.message === failure.message) {
      return describe(Object.assign(new Error(failure.message), failure), e);
    }
    const err = toError(e);
    if (this.owner.options.proxy && /^(connect|getaddrinfo)$/.test(err.syscall)) {
      err.code = err.originalCode;
      delete err.originalCode;
      delete err.command;
    }
    return err;
  }

  /** Nothing new comes here: finish and close. */
  leave() {
    this.idle.closed = true;
    this.admission.hurry();
    this.native.drain();
  }

  on_open({ id, attempt }) {
    const job = this.jobs.get(id);
    if (!job) {
      this.native.end(id, attempt, 'The message is settled');
      return;
    }
    const show = this.owner.options.debug ? this.log?.body(job) : undefined;
    const feeder = new Feeder(this.native, id, attempt, show);
    job.more.feeder = feeder;
    feeder.start(job.mail.message);
  }

  on_drain({ id, attempt }) {
    const feeder = this.jobs.get(id)?.rare?.feeder;
    if (feeder?.attempt === attempt) {
      feeder.resume();
    }
  }

  'on_closed stream'({ id, attempt }) {
    const feeder = this.jobs.get(id)?.rare?.feeder;
    if (feeder?.attempt === attempt) {
      feeder.stop();
    }
  }

  on_created(event) {
    this.places.set(event.c, this.hosts[event.h]);
    this.log?.created(event);
    this.tell('connectionCreated', event.c);
  }

  on_ready(event) {
    const { c, d } = event;
    this.ehlo.set(c, d.ehlo);
    if (d.tls) {
      const { owner } = this;
      for (const { tally } of owner.parent ? [owner, owner.parent] : [owner]) {
        tally.handshakes[d.tls.resumed ? 'resumed' : 'full']++;
      }
    }
    this.log?.ready(event);
    this.tell('connectionReady', c, { duration: d.took });
  }

  on_closed(event) {
    const { c, reason, age, n } = event;
    this.ehlo.delete(c);
    this.logins.delete(c);
    this.tokens?.forget(c);
    this.log?.closed(event, event.e && toError(event.e));
    if (event.e?.tlsIncompatible) {
      movedAway(this, event.e.message);
    }
    this.tell('connectionClosed', c, { reason, duration: age, messages: n });
    this.places.delete(c);
  }

  /** Tells of a connection whoever listens; one of an account of its own says whose. */
  tell(name, id, more) {
    const { watch, parent, options } = this.owner;
    if (watch.wants(name)) {
      const account = parent ? { account: options.auth?.user } : undefined;
      watch.tell(name, { id, ...this.places.get(id), ...more, ...account });
    }
  }

  on_assigned(event) {
    const job = this.jobs.get(event.id);
    if (job) {
      job.more.connection = event.c;
      this.log?.assigned(event);
    }
  }

  on_begun(event) {
    if (this.jobs.get(event.id)) {
      this.log?.begun(event);
    }
  }

  on_requeued(event) {
    const job = this.jobs.get(event.id);
    if (!job) {
      return;
    }
    const { owner } = this;
    owner.tally.requeued++;
    if (owner.parent) {
      owner.parent.tally.requeued++;
    }
    this.log?.requeued(event, job.rare?.connection);
    owner.watch.requeued(job, event.e.message, event.attempt);
  }

  on_limit({ h, kind, value }) {
    const { watch } = this.owner;
    if (watch.wants('limitLearned')) {
      watch.tell('limitLearned', { host: this.hosts[h].host, limit: kind, value });
    }
  }

  on_empty() {
    if (!this.owner._closed && this.idle.idling) {
      this.owner.emit('clear');
    }
  }

  on_token({ c, renew }) {
    if (!this.tokens) {
      this.native.token(c, null, 'No OAuth2 options', null);
      return;
    }
    this.tokens.get(c, renew).then(
      (token) => this.native.token(c, String(token), null, null),
      (err) => this.native.token(c, null, String(err.message), err.code || null),
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
    if (e?.tlsIncompatible && movedAway(this, e.message)) {
      this.release();
      this.owner._backend.verify(done);
      return;
    }
    const anonymous = !options.auth || (!this.tokens && !options.auth.user && !options.auth.pass);
    if (!e && anonymous && d.offersAuth && options.forceAuth) {
      done(localError('Authentication info was not provided', { code: 'ENOAUTH', phase: 'auth' }));
    } else if (e) {
      done(this.errorOf(e));
    } else {
      done(null, true);
    }
    this.release();
  }

  on_log(event) {
    this.log?.lines(event);
  }

  on_crashed({ e }) {
    for (const job of this.jobs.all()) {
      this.admission.drop(job);
      this.settle({ id: keyOf(job) }, toError(e));
    }
    for (const done of [...this.requests.values()]) {
      done(toError(e));
    }
    this.requests.clear();
    this.on_ended();
  }

  on_ended() {
    this.finished = true;
    this.ended.resolve();
    this.release();
  }

  /** Calls back, once. */
  settle(event, err) {
    const { id, c } = event;
    const job = this.jobs.get(id);
    if (!job) {
      return;
    }
    this.jobs.delete(id);
    const { rare } = job;
    rare?.stopWatching?.();
    rare?.feeder?.stop();
    this.release();
    this.log?.settled(event, err, rare?.feeder?.size);
    try {
      const info = err ? undefined : toInfo(event, this.ehlo.get(c), this.places.get(c)?.host);
      job.settle(err, info, c ?? undefined);
    } catch (E) {
      this.owner.logger.error(
        { err: E, tnx: 'callback', cid: c },
        'Callback error for #%s: %s',
        c,
        E.message,
      );
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
    const id = ++this.lastId;
    this.requests.set(id, callback);
    this.hold(true);
    this.native.verify(id);
  }

  close(options) {
    this.idle.closed = true;
    this.admission.hurry();
    if (!this.finished) {
      this.closing = true;
      this.hold(true);
      this.native.close(!!options?.force, this.idle.assigned);
    }
    return this.ended.promise;
  }

  /** Sends what is queued, then closes. */
  drain() {
    this.idle.closed = true;
    this.admission.hurry();
    if (!this.finished) {
      this.closing = true;
      this.hold(true);
      this.native.drain();
    }
    return this.ended.promise;
  }

  pause(paused) {
    this.native.pause(paused);
  }

  /** @param {{maxConnections?: number, minConnections?: number, rate?: object|null}} bounds */
  resize(bounds) {
    this.native.resize(JSON.stringify(bounds));
    if (bounds.maxConnections !== undefined) {
      this.idle.resize(bounds.maxConnections);
    }
  }

  /** Goes on with new options; gives the backend that does. */
  rotate(options) {
    if (options.fallback) {
      return this.owner.moveToNodemailer(options.fallback);
    }
    this.native.rotate(options.json, options.tls, options.proxyTls ?? null);
    this.tokens = tokensFor(this.owner);
    if (this.log) {
      this.log.options = this.owner.options;
    }
    return this;
  }

  /** The engine's numbers, or nothing once it has ended. */
  snapshot() {
    const snapshot = this.finished ? null : this.native.stats();
    return snapshot && JSON.parse(snapshot);
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
    const ending = this.closing && !this.finished;
    if (!this.jobs.size && !this.requests.size && !ending) {
      this.hold(false);
    }
  }
}

/** Access tokens, if the login needs them. */
function tokensFor(owner) {
  const { auth } = owner.options;
  return auth && (auth.type || '').toString().toUpperCase() === 'OAUTH2' ? new Tokens(auth, owner) : null;
}

/** The engine of the pool this one serves an account of: they share the limits on the rate. */
function engineOf(parent) {
  return parent?.start().native ?? null;
}

/** Starts an engine that does not keep its backend from being collected. */
function start(backend, { json, tls, proxyTls }, beside) {
  const { Engine } = addon();
  const inbox = new Inbox(backend, () => engine.next());
  const engine = new Engine(json, tls, proxyTls ?? null, (batch) => inbox.deliver(batch), beside);
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
