'use strict';

const { setImmediate } = require('./timers');

/**
 * Octets of sent messages whose senders are told in one turn of the event loop: most of them hand
 * over the next one as large, and each is copied.
 */
const TURN = 4 * 1024 * 1024;
const NONE = [];

/**
 * The events of an engine on the JavaScript thread: in order, some of them a turn of the event
 * loop, so that whatever else waits for its turn gets it. Does not keep the backend alive.
 */
class Inbox {
  /**
   * @param {{take: (event: object) => void}} backend is told of each event
   * @param {() => string|null} fetch gives the next batch, a JSON array, if there is one; if not,
   *   the engine comes by itself, with `deliver`, once there is
   */
  constructor(backend, fetch) {
    this.backend = new WeakRef(backend);
    this.fetch = fetch;
    this.waiting = NONE;
    this.next = () => this.goOn();
  }

  /** Takes a batch; the one before is through. */
  deliver(batch) {
    this.waiting = batch ? JSON.parse(batch) : NONE;
    this.tell();
  }

  goOn() {
    if (this.waiting.length) {
      this.tell();
      return;
    }
    const batch = this.fetch();
    if (batch) {
      this.deliver(batch);
    }
  }

  /** Tells of as many events as one turn bears. A listener that throws costs nobody the next one. */
  tell() {
    setImmediate(this.next);
    const { waiting } = this;
    const backend = this.backend.deref();
    let told = 0;
    for (let octets = 0; told < waiting.length && octets < TURN; told++) {
      const event = waiting[told];
      octets += event.ms || 0;
      try {
        backend?.take(event);
      } catch (err) {
        setImmediate(() => {
          throw err;
        });
      }
    }
    this.waiting = told < waiting.length ? waiting.slice(told) : NONE;
  }
}

module.exports = { Inbox };
