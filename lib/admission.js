'use strict';

const { setImmediate } = require('./timers');

/** Octets of `Buffer`s that are copied in one turn of the event loop, unless one message has more. */
const TURN = 4 * 1024 * 1024;
/** Messages that may wait. The engine's bounds and deadlines count from the moment it has a message. */
const MOST = 16;

/**
 * The way into an engine. A message goes in at once, unless this turn of the event loop has copied its
 * share of large `Buffer`s: then it, and those behind it in its lane, wait for the next turns, so that
 * whatever else waits for its turn gets it.
 */
class Admission {
  /** @param {(job: import('./job').Job) => void} submit hands a message that has waited to the engine */
  constructor(submit) {
    this.submit = submit;
    this.octets = 0;
    this.waiting = new Set();
  }

  /** Whether a message goes in now; if not, it will be submitted. */
  admits(job) {
    const octets = octetsOf(job);
    if (this.waiting.size >= MOST && this.mustWait(job, octets)) {
      this.hurry();
    }
    if (this.mustWait(job, octets)) {
      this.waiting.add(job);
      return false;
    }
    this.count(octets);
    return true;
  }

  /** Takes a message out again; gives whether it was still waiting. */
  drop(job) {
    return this.waiting.delete(job);
  }

  /** Lets all in that wait: what happens next concerns every message that was sent. */
  hurry() {
    for (const job of this.waiting) {
      this.letIn(job);
    }
  }

  mustWait(job, octets) {
    return !this.fits(octets) || (this.waiting.size > 0 && this.isBehind(job));
  }

  fits(octets) {
    return !octets || !this.octets || this.octets + octets <= TURN;
  }

  isBehind({ lane }) {
    for (const other of this.waiting) {
      if (other.lane === lane) {
        return true;
      }
    }
    return false;
  }

  count(octets) {
    if (octets && !this.octets) {
      setImmediate(() => this.nextTurn());
    }
    this.octets += octets;
  }

  nextTurn() {
    this.octets = 0;
    for (const job of this.waiting) {
      if (!this.fits(octetsOf(job))) {
        return;
      }
      this.letIn(job);
    }
  }

  letIn(job) {
    // Out of here first: what runs on the way in may be the caller's, and close the pool.
    this.waiting.delete(job);
    this.count(octetsOf(job));
    this.submit(job);
  }
}

/** Octets the engine copies from `Buffer`s while it takes the message. */
function octetsOf({ mail }) {
  const { record } = mail;
  if (!record || record.isWhole) {
    return 0;
  }
  return record.parts.reduce((sum, part) => sum + (typeof part === 'string' ? 0 : part.length), 0);
}

module.exports = { Admission };
