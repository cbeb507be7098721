'use strict';

const { performance } = require('node:perf_hooks');

// A turn that nobody has timed yet; most of them take about this long.
const USUAL = 4;
const CONTENDERS = 2;
// The pace of a moment says little about the rest.
const SURE_AFTER = 5;

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Seconds as people say them. */
function duration(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * Says what is being done and how long the rest will take: as long as in an earlier run, times how
 * much slower this one is so far.
 */
class Progress {
  /**
   * @param {object[]} cases those that will be run
   * @param {object} options `rounds`; `scale`; `earlier`, cases whose turns were timed; `stream`;
   *   `now`, in milliseconds
   */
  constructor(
    cases,
    { rounds, scale, earlier = [], stream = process.stderr, now = () => performance.now() },
  ) {
    const timed = new Map(earlier.map(({ name, took }) => [name, took]));
    Object.assign(this, { cases, timed, rounds, scale, stream, now });
    this.total = sum(cases.map((_, index) => this.expectedCase(index)));
    this.started = now();
    this.done = 0;
    this.under = 0;
  }

  expectedTurn(index, contender) {
    return (this.timed.get(this.cases[index].name)?.[contender] ?? USUAL) * this.scale;
  }

  expectedCase(index) {
    const timed = this.timed.get(this.cases[index].name);
    return (timed ? sum(Object.values(timed)) : USUAL * CONTENDERS) * this.rounds * this.scale;
  }

  /** Seconds that are left. */
  left() {
    const spent = (this.now() - this.started) / 1000;
    const pace = spent > SURE_AFTER && this.done > 0 ? spent / this.done : 1;
    return Math.max(0, this.total - this.done) * pace;
  }

  /** The turn of a contender in case number `index` begins, and the one before it is over. */
  turn(index, { round, contender, first }) {
    this.done = first
      ? sum(this.cases.slice(0, index).map((_, i) => this.expectedCase(i)))
      : this.done + this.under;
    this.under = this.expectedTurn(index, contender);
    const place = `[${index + 1}/${this.cases.length}] ${this.cases[index].name}`;
    const left = `${duration(this.left())} left`;
    if (this.stream.isTTY) {
      this.stream.write(`\r\x1b[K${place}: round ${round + 1} of ${this.rounds}, ${contender}; ${left}`);
    } else if (first) {
      this.stream.write(`${place}; ${left}\n`);
    }
  }

  clear() {
    if (this.stream.isTTY) this.stream.write('\r\x1b[K');
  }
}

module.exports = { Progress, duration };
