'use strict';

const { setImmediate } = require('./timers');

/**
 * nodemailer's idea of idleness, counted on the JavaScript thread alone.
 *
 * nodemailer's queue holds the messages that no connection has yet, and `isIdle()` says whether it
 * has room: fewer than `maxConnections` waiting. Here the engine hands out messages on threads of
 * its own; this mirror counts as if each of `maxConnections` connections had one message at most,
 * so the `idle` event comes at the moments a nodemailer user knows.
 */
class IdleMirror {
  /**
   * @param {number} max `maxConnections`
   * @param {() => void} onIdle called when the queue has room again
   */
  constructor(max, onIdle) {
    this.max = max;
    this.onIdle = onIdle;
    this.idling = true;
    this.queued = 0;
    this.assigned = 0;
    this.turns = 0;
    this.scheduled = false;
    this.closed = false;
  }

  /** The bound changed. */
  resize(max) {
    this.max = max;
    this.later();
  }

  /** A message was queued. */
  added() {
    this.queued++;
    if (this.idling && this.queued >= this.max) {
      this.idling = false;
    }
    this.later();
  }

  /** A message settled. */
  removed() {
    if (!this.assigned) {
      // It settled together with the one before it, whose turn is still to come.
      this.takeTurns();
    }
    if (this.assigned > 0) {
      this.assigned--;
    } else {
      this.queued--;
    }
    this.later();
  }

  /** One turn for each message, all of a tick together. */
  later() {
    this.turns++;
    if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => {
        this.scheduled = false;
        this.takeTurns();
      });
    }
  }

  takeTurns() {
    const { turns } = this;
    this.turns = 0;
    for (let i = 0; i < turns && !this.closed; i++) {
      this.turn();
    }
  }

  turn() {
    if (!this.queued) {
      this.becomeIdle();
    } else if (this.assigned >= this.max) {
      this.idling = false;
    } else {
      if (this.queued < this.max) {
        this.becomeIdle();
      }
      this.queued--;
      this.assigned++;
    }
  }

  becomeIdle() {
    if (!this.idling) {
      this.idling = true;
      this.onIdle();
    }
  }
}

module.exports = { IdleMirror };
