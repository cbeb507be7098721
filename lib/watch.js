'use strict';

const { performance } = require('node:perf_hooks');
const { channel, tracingChannel } = require('node:diagnostics_channel');
const { setImmediate } = require('./timers');

const EVENTS = [
  'connectionCreated',
  'connectionReady',
  'connectionClosed',
  'messageQueued',
  'messageSent',
  'messageFailed',
  'messageRequeued',
  'limitLearned',
];

/** One channel an event: `postpool:messageSent` and so on. */
const channels = Object.fromEntries(EVENTS.map((name) => [name, channel(`postpool:${name}`)]));
const sends = tracingChannel('postpool:send');
const PHASES = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

/**
 * Tells whoever listens what happens in a pool: as events of the pool and of its transporter, and
 * on Node's diagnostics channels. Nothing is put together that nobody wants to hear.
 */
class Watch {
  /** @param {import('./pool').Pool} pool */
  constructor(pool) {
    this.pool = pool;
  }

  /** Whether anybody listens. */
  wants(name) {
    const { mailer } = this.pool;
    return (
      this.pool.listenerCount(name) > 0 || mailer?.listenerCount?.(name) > 0 || channels[name].hasSubscribers
    );
  }

  /** Tells of an event. A listener that throws does not disturb the pool. */
  tell(name, event) {
    const { pool } = this;
    for (const speak of [
      () => channels[name].publish(event),
      () => pool.emit(name, event),
      () => pool.mailer?.emit?.(name, event),
    ]) {
      try {
        speak();
      } catch (err) {
        setImmediate(() => {
          throw err;
        });
      }
    }
  }

  queued({ id, lane }) {
    if (this.wants('messageQueued')) {
      this.tell('messageQueued', { id, lane });
    }
  }

  /** A message was sent, or failed with `error`. */
  settled({ id, lane, started }, error, connection) {
    const name = error ? 'messageFailed' : 'messageSent';
    if (this.wants(name)) {
      const duration = performance.now() - started;
      this.tell(name, error ? { id, lane, error, duration } : { id, lane, connection, duration });
    }
  }

  requeued({ id, lane }, reason, attempt) {
    if (this.wants('messageRequeued')) {
      this.tell('messageRequeued', { id, lane, reason, attempt });
    }
  }

  /** Whether anybody subscribed to the trace of a send. */
  get traces() {
    return PHASES.some((phase) => sends[phase].hasSubscribers);
  }

  /**
   * Hands a message to `send`, traced as `tracing:postpool:send:…` if anybody subscribed.
   *
   * @param {object} mail
   * @param {(err: Error|null, info?: object) => void} callback
   * @param {(mail: object, callback: Function) => boolean} send
   */
  traced(mail, callback, send) {
    if (!this.traces) {
      return send(mail, callback);
    }
    const context = { data: mail.data, lane: mail.data?.lane };
    return sends.traceCallback(send, 1, context, undefined, mail, callback);
  }
}

module.exports = { Watch, EVENTS };
