'use strict';

/** Places there can be at once; the rest of a key's 53 bits tells one user of a place from the next. */
const PLACES = 2 ** 24;
const MASK = PLACES - 1;
/** Jobs after which keys begin anew: no event of the first ones is still to come by then. */
const LAST_TURN = 2 ** 29 - 1;

/**
 * Jobs by keys that are theirs alone. A `Map` would do the same, but one that lives long keeps
 * what was deleted from it alive: each time it grows or shrinks, its old table, once it is old,
 * holds on to the next one with all its values until a full collection.
 */
class Slots {
  constructor() {
    this.size = 0;
    this.turn = 0;
    this.jobs = [];
    this.free = [];
  }

  /** Keeps a job and gives it its `key`, a positive integer. */
  add(job) {
    const place = this.free.length ? this.free.pop() : this.jobs.length;
    this.turn = (this.turn % LAST_TURN) + 1;
    job.key = this.turn * PLACES + place;
    this.jobs[place] = job;
    this.size++;
    return job.key;
  }

  /** The job of that key, or `undefined`. */
  get(key) {
    const job = this.jobs[key & MASK];
    return job !== undefined && job.key === key ? job : undefined;
  }

  /** Forgets the job of that key. */
  delete(key) {
    if (this.get(key)) {
      const place = key & MASK;
      this.jobs[place] = undefined;
      this.free.push(place);
      this.size--;
    }
  }

  /** All jobs, the oldest first. */
  all() {
    return this.jobs.filter(Boolean).sort((a, b) => a.id - b.id);
  }
}

module.exports = { Slots };
