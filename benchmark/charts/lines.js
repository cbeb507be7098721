'use strict';

const { COLOURS, TOP, WIDTH, frame, line, text } = require('./svg');

const LEFT = 76;
const RIGHT = 190;
const HEIGHT = 320;
const LABEL = 14;
const TEN = 10;

/** Heights of labels, moved apart where they would lie on one another. */
function spreadOut(heights) {
  const places = new Map();
  let free = -Infinity;
  for (const [name, height] of [...heights].sort(([, a], [, b]) => a - b)) {
    const place = Math.max(height, free);
    places.set(name, place);
    free = place + LABEL;
  }
  return places;
}

/** The vertical scale, logarithmic, in whole powers of ten. */
function verticalScale(values) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    y: (value) => TOP + HEIGHT - ((Math.log10(value) - low) / (high - low)) * HEIGHT,
    powers: Array.from({ length: high - low + 1 }, (_, index) => TEN ** (low + index)),
  };
}

function drawSeries({ name, colour, dash, points }, x, y, place) {
  const drawn = points.map(([at, value]) => [x(at), y(value)]);
  const [endX, endY] = drawn.at(-1);
  return [
    line(drawn, colour, { 'stroke-width': 2.2, ...(dash && { 'stroke-dasharray': dash }) }),
    ...drawn.map(
      ([cx, cy]) => `<circle cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="3" fill="${colour}"/>`,
    ),
    line(
      [
        [endX + 5, endY],
        [endX + 14, place],
      ],
      colour,
      { 'stroke-width': 0.8 },
    ),
    text(endX + 18, place + 4, name, { fill: colour }),
  ];
}

/**
 * Messages a second as lines, over a few steps that lie equally far apart.
 *
 * `series` are `{ name, colour, dash, points: [[step, value], …] }`.
 */
function lines({ series, unit, titles, note }) {
  const steps = [...new Set(series.flatMap(({ points }) => points.map(([step]) => step)))].sort(
    (a, b) => a - b,
  );
  const { y, powers } = verticalScale(series.flatMap(({ points }) => points.map(([, value]) => value)));
  const gap = (WIDTH - LEFT - RIGHT) / Math.max(1, steps.length - 1);
  const x = (step) => LEFT + steps.indexOf(step) * gap;
  const right = x(steps.at(-1));
  const grid = [
    ...powers.flatMap((power) => [
      line(
        [
          [LEFT, y(power)],
          [right, y(power)],
        ],
        COLOURS.grid,
      ),
      text(LEFT - 10, y(power) + 4, power.toLocaleString('en'), { 'text-anchor': 'end', fill: COLOURS.note }),
    ]),
    ...steps.map((step) =>
      text(x(step), TOP + HEIGHT + 22, unit(step), { 'text-anchor': 'middle', fill: COLOURS.note }),
    ),
  ];
  const places = spreadOut(series.map(({ name, points }) => [name, y(points.at(-1)[1])]));
  const drawn = series.flatMap((one) => drawSeries(one, x, y, places.get(one.name)));
  const lowest = Math.max(TOP + HEIGHT, ...places.values());
  return frame(lowest + 40, titles, note, [...grid, ...drawn]);
}

module.exports = { lines, spreadOut };
