'use strict';

const { performance } = require('node:perf_hooks');

// A case nobody has timed yet; most of them take about this long.
const USUAL = 12;
// The pace of a moment says little about the rest.
const SURE_AFTER = 5;

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
   * @param {object} options `rounds`; `scale`; `earlier`, timed cases; `stream`; `now`, in ms
   */
  constructor(
    cases,
    { rounds, scale, earlier = [], stream = process.stderr, now = () => performance.now() },
  ) {
    const known = new Map(earlier.map(({ name, took }) => [name, took]));
    this.expected = cases.map(({ name }) => (known.get(name) ?? USUAL) * rounds * scale);
    this.rounds = rounds;
    this.stream = stream;
    this.now = now;
    this.started = now();
  }

  /** Seconds left when a share of case number `index` is done. */
  left(index, share) {
    const sum = (values) => values.reduce((total, value) => total + value, 0);
    const done = sum(this.expected.slice(0, index)) + this.expected[index] * share;
    const spent = (this.now() - this.started) / 1000;
    const pace = spent > SURE_AFTER && done > 0 ? spent / done : 1;
    return (sum(this.expected) - done) * pace;
  }

  /** A contender's turn begins. A terminal has one line for it; a file gets one for each case. */
  turn(index, name, { round, contender, share }) {
    const place = `[${index + 1}/${this.expected.length}] ${name}`;
    const left = `${duration(this.left(index, share))} left`;
    if (this.stream.isTTY) {
      this.stream.write(`\r\x1b[K${place}: round ${round + 1} of ${this.rounds}, ${contender}; ${left}`);
    } else if (share === 0) {
      this.stream.write(`${place}; ${left}\n`);
    }
  }

  clear() {
    if (this.stream.isTTY) this.stream.write('\r\x1b[K');
  }
}

module.exports = { Progress, duration };
