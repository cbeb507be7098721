'use strict';

const { withSummaries } = require('../../../benchmark/summary');

const run = (rate) => ({ rate, cpu: 1e6 / rate, thread: 5e5 / rate, busy: 6e5 / rate, delay: 1 });

/** A case with three rounds in which postpool is `times` as fast, and what `more` says. */
function result(name, { times = 8, ...more } = {}) {
  return {
    measure: 'traffic',
    name,
    workload: 'small',
    sink: { kind: 'smtp-sink' },
    connections: 5,
    messages: 10,
    warmUp: 1,
    depth: 100,
    took: { nodemailer: 2, postpool: 1 },
    rounds: [100, 300, 200].map((rate) => ({
      nodemailer: run(rate),
      postpool: run(rate * times),
      'smtp-source': { rate: 3200 },
    })),
    ...more,
  };
}

/** What a run of cases that cost so much CPU time with postpool comes to. */
function costing(costs) {
  return withSummaries(
    Object.entries(costs).map(([name, { cpu, ...more }]) =>
      result(name, { rounds: [{ nodemailer: { cpu: 1000 }, postpool: { cpu } }], ...more }),
    ),
  );
}

module.exports = { costing, result };
