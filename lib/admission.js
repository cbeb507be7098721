'use strict';

const { setImmediate } = require('./timers');

/** Octets of `Buffer`s that are copied in one turn of the event loop, or one `Buffer` if it is larger. */
const TURN = 4 * 1024 * 1024;

/**
 * The way into an engine, in order. A message goes in at once, unless this turn of the event loop has
 * copied its share of large `Buffer`s: then it and those behind it wait for the next turns, so that
 * whatever else waits for its turn gets it.
 */
class Admission {
  /** @param {(job: import('./job').Job) => void} submit hands a message that has waited to the engine */
  constructor(submit) {
    this.submit = submit;
    this.octets = 0;
    this.waiting = null;
  }

  /** Whether a message goes in now; if not, it will be submitted. */
  admits(job) {
    const octets = octetsOf(job);
    if (this.waiting || (octets && this.octets && this.octets + octets > TURN)) {
      this.waiting ??= new Set();
      this.waiting.add(job);
      return false;
    }
    this.count(octets);
    return true;
  }

  /** Takes a message out again; gives whether it was still waiting. */
  drop(job) {
    return !!this.waiting?.delete(job);
  }

  /** Lets all in that wait: what happens next concerns every message that was sent. */
  hurry() {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    waiting.forEach(this.submit);
  }

  count(octets) {
    if (octets && !this.octets) {
      setImmediate(() => this.nextTurn());
    }
    this.octets += octets;
  }

  nextTurn() {
    this.octets = 0;
    for (const job of this.waiting ?? []) {
      const octets = octetsOf(job);
      if (octets && this.octets && this.octets + octets > TURN) {
        return;
      }
      this.waiting.delete(job);
      this.count(octets);
      this.submit(job);
    }
    this.waiting = null;
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
