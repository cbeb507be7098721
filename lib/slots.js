'use strict';

/** Places there can be at once; the rest of a key's 53 bits tells one user of a place from the next. */
const PLACES = 2 ** 24;
const MASK = PLACES - 1;
/** Places that are kept when there are no jobs. */
const FEW = 1024;
/** Jobs after which keys begin anew: no event of the first ones is still to come by then. */
const TURNS = 2 ** 29 - 1;

/**
 * Jobs by keys that are theirs alone, made of the job's `id` and its `place` here. A `Map` would do
 * the same, but one that lives long keeps what was deleted from it alive: each time it grows or
 * shrinks, its old table, once it is old, holds on to the next one with all its values until a full
 * collection.
 */
class Slots {
  constructor() {
    this.size = 0;
    this.jobs = [];
    this.free = [];
  }

  /** Keeps a job. */
  add(job) {
    job.place = this.free.length ? this.free.pop() : this.jobs.length;
    this.jobs[job.place] = job;
    this.size++;
  }

  /** The job of that key, or `undefined`. */
  get(key) {
    const job = this.jobs[key & MASK];
    return job !== undefined && keyOf(job) === key ? job : undefined;
  }

  /** Forgets the job of that key. */
  delete(key) {
    if (this.get(key)) {
      const place = key & MASK;
      this.jobs[place] = undefined;
      this.free.push(place);
      this.size--;
      if (!this.size && this.jobs.length > FEW) {
        this.jobs = [];
        this.free = [];
      }
    }
  }

  /** All jobs, the oldest first. */
  all() {
    return this.jobs.filter(Boolean).sort((a, b) => a.id - b.id);
  }
}

/**
 * The key of a job that is kept, a positive integer. It is not stored: beyond 31 bits a number is
 * an object of its own.
 */
function keyOf({ id, place }) {
  return ((id % TURNS) + 1) * PLACES + place;
}

module.exports = { Slots, keyOf };
