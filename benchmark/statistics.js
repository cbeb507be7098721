'use strict';

/** The value in the middle. */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The lowest and the highest value. */
function range(values) {
  return [Math.min(...values), Math.max(...values)];
}

module.exports = { median, range };
