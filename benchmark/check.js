'use strict';

const floors = require('./floors.json');

/**
 * The ratios of a record that lie below their floors, as sentences.
 *
 * A case without a floor is a complaint too: a check that looks at nothing must not pass.
 */
function belowFloor(record) {
  return record.cases.flatMap(({ name, summary }) => {
    if (!floors[name]) return [`${name}: no floor in benchmark/floors.json`];
    return Object.entries(floors[name])
      .filter(([figure, floor]) => !(summary.ratios[figure] >= floor))
      .map(
        ([figure, floor]) =>
          `${name}: ${figure} is ${summary.ratios[figure].toFixed(2)}×, its floor ${floor}×`,
      );
  });
}

module.exports = { belowFloor };
