'use strict';

const { performance } = require('node:perf_hooks');
const { median } = require('./statistics');

// Each needs something of its own, so only what is asked for is loaded.
const MEASURES = {
  load: () => require('./measures/load').load,
  memory: () => require('./measures/memory').memory,
  traffic: () => require('./measures/traffic').traffic,
};

/** The contenders of all rounds in their turns: the first of one round is the last of the next. */
function turnsOf(contenders, rounds) {
  return Array.from({ length: rounds }, (_, round) => (round % 2 ? contenders.toReversed() : contenders));
}

/**
 * Runs one case: in every round each contender once.
 *
 * @param {object} one a case of cases.js
 * @param {object} options `rounds`; `scale`, how many times as many messages; `onTurn`, told before
 *   each turn
 * @returns {Promise<object>} the case, what it came to in numbers, the figures of each contender by
 *   round, and how many seconds a turn of each one took, or would take with all messages
 */
async function runCase(one, { rounds, scale, onTurn }) {
  const measurement = await MEASURES[one.measure]()(one, scale);
  const took = Object.fromEntries(measurement.contenders.map((contender) => [contender, []]));
  const results = [];
  try {
    for (const [round, contenders] of turnsOf(measurement.contenders, rounds).entries()) {
      const result = {};
      for (const contender of contenders) {
        onTurn({ round, contender, first: round === 0 && contender === contenders[0] });
        const started = performance.now();
        result[contender] = await measurement.run(contender);
        took[contender].push((performance.now() - started) / 1000 / scale);
      }
      results.push(result);
    }
    measurement.verify?.(results);
  } finally {
    await measurement.stop();
  }
  for (const contender of measurement.contenders) took[contender] = median(took[contender]);
  return { ...one, ...measurement.facts, took, rounds: results };
}

module.exports = { runCase };
