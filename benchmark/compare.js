'use strict';

const { performance } = require('node:perf_hooks');

// Each needs something of its own, so only what is asked for is loaded.
const MEASURES = {
  load: () => require('./measures/load').load,
  memory: () => require('./measures/memory').memory,
  traffic: () => require('./measures/traffic').traffic,
};

/**
 * Runs one case: in every round each contender once, the first of one round being the last of the
 * next.
 *
 * @param {object} one a case of cases.js
 * @param {object} options `rounds`; `scale`, how many times as many messages; `onTurn`, told before
 *   each turn
 * @returns {Promise<object>} the case, what it came to in numbers, the figures of each contender by
 *   round, and the seconds a round took
 */
async function runCase(one, { rounds, scale, onTurn }) {
  const measurement = await MEASURES[one.measure]()(one, scale);
  const { contenders, facts } = measurement;
  const started = performance.now();
  const results = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const result = {};
      for (const [turn, contender] of (round % 2 ? contenders.toReversed() : contenders).entries()) {
        onTurn({ round, contender, share: (round + turn / contenders.length) / rounds });
        result[contender] = await measurement.run(contender);
      }
      results.push(result);
    }
    measurement.verify?.(results);
  } finally {
    await measurement.stop();
  }
  return { ...one, ...facts, took: (performance.now() - started) / 1000 / rounds, rounds: results };
}

module.exports = { runCase };
