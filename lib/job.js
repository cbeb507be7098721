'use strict';

const { performance } = require('node:perf_hooks');

/**
 * One message in a pool: who waits for it, and what the pool's events call it. There may be a
 * hundred thousand of them, so a field is what every message needs; the others share {@link more}.
 */
class Job {
  /**
   * @param {import('./pool').Pool} pool
   * @param {object} mail nodemailer's MailMessage, or anything with `data` and `message`
   * @param {{over: (err: Error|null, info?: object) => void, forget?: () => void}|Job} waiter who
   *   is told what became of it: the same message in the pool that this one serves an account of
   */
  constructor(pool, mail, waiter) {
    const parent = waiter instanceof Job ? waiter : null;
    const lane = mail.data?.lane;
    this.pool = pool;
    /** Nothing once the engine has all there is of the message. */
    this.mail = mail;
    this.waiter = waiter;
    this.id = parent ? parent.id : ++pool.tally.lastId;
    this.lane = lane === undefined ? undefined : String(lane);
    this.started = parent ? parent.started : performance.now();
    /** Where its backend keeps it. */
    this.place = 0;
    this.counted = false;
    this.rare = null;
    pool.tally.pending++;
  }

  /**
   * What few messages have: a signal and the way to stop watching it, a feeder, and in a log the
   * connection.
   */
  get more() {
    return (this.rare ??= { signal: undefined, stopWatching: null, feeder: null, connection: undefined });
  }

  /** The caller's data are not needed any more. */
  forget() {
    this.mail = null;
    this.waiter.forget?.();
  }

  /** The message was sent, or failed with `err`; called once. */
  settle(err, info, connection) {
    const { pool, waiter } = this;
    pool.tally.end(err);
    if (waiter instanceof Job) {
      waiter.settle(err, info, connection);
    } else {
      pool.watch.settled(this, err, connection);
      waiter.over(err, info);
    }
  }
}

module.exports = { Job };
