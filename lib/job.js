'use strict';

const { performance } = require('node:perf_hooks');

/** One message in a pool: who waits for it, and what the pool's events call it. */
class Job {
  /**
   * @param {import('./pool').Pool} pool
   * @param {object} mail nodemailer's MailMessage, or anything with `data` and `message`
   * @param {((err: Error|null, info?: object) => void)|null} callback
   * @param {Job} [parent] the same message in the pool that this one serves an account of
   */
  constructor(pool, mail, callback, parent = null) {
    const lane = mail.data?.lane;
    this.pool = pool;
    this.mail = mail;
    this.callback = callback;
    this.parent = parent;
    this.id = parent ? parent.id : ++pool.tally.lastId;
    this.lane = lane === undefined ? undefined : String(lane);
    this.started = parent ? parent.started : performance.now();
    // What the native engine's side keeps of it.
    this.key = 0;
    this.counted = false;
    this.moving = false;
    this.connection = undefined;
    this.feeder = null;
    this.stopWatching = null;
    pool.tally.pending++;
  }

  /** The message was sent, or failed with `err`; called once. */
  settle(err, info, connection) {
    const { pool } = this;
    pool.tally.end(err);
    if (this.parent) {
      this.parent.settle(err, info, connection);
    } else {
      pool.watch.settled(this, err, connection);
      this.callback(err, info);
    }
  }
}

module.exports = { Job };
