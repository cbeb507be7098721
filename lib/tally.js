'use strict';

/** What became of a pool's messages, counted on the JavaScript thread whichever engine sends them. */
class Tally {
  constructor() {
    this.lastId = 0;
    this.pending = 0;
    this.sent = 0;
    this.failed = 0;
    this.inDoubt = 0;
    this.requeued = 0;
    this.remaining = 0;
    /** The time to drain ran out: what fails from here on was not sent, rather than failed. */
    this.ranOut = false;
    this.rejected = new Map();
    this.handshakes = { full: 0, resumed: 0 };
  }

  /** A message was sent, or failed with `err`. */
  end(err) {
    this.pending--;
    if (!err) {
      this.sent++;
      return;
    }
    this.rejected.set(err.code, (this.rejected.get(err.code) || 0) + 1);
    if (err.maybeDelivered) {
      this.inDoubt++;
    } else if (this.ranOut) {
      this.remaining++;
    } else {
      this.failed++;
    }
  }

  /** The outcomes so far, for {@link since}. */
  outcomes() {
    const { sent, failed, inDoubt, remaining } = this;
    return { sent, failed, inDoubt, remaining };
  }

  /** The outcomes after `before`. */
  since(before) {
    const after = this.outcomes();
    return Object.fromEntries(Object.keys(after).map((key) => [key, after[key] - before[key]]));
  }
}

module.exports = { Tally };
