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

/** 1, 2 and 5 times the powers of ten, from the last one below the values to the first one above. */
function stepsAround(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const powers = Array.from({ length: last - first + 1 }, (_, index) => TEN ** (first + index));
  const steps = powers.flatMap((power) => [power, 2 * power, 5 * power]);
  const from = steps.findLastIndex((step) => step <= low);
  return steps.slice(
    from,
    Math.max(
      steps.findIndex((step) => step >= high),
      from + 1,
    ) + 1,
  );
}

/** The vertical scale, logarithmic. */
function verticalScale(values) {
  const steps = stepsAround(values);
  const [low, span] = [steps[0], Math.log(steps.at(-1) / steps[0])];
  return { y: (value) => TOP + HEIGHT - (Math.log(value / low) / span) * HEIGHT, steps };
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
  const { y, steps: heights } = verticalScale(
    series.flatMap(({ points }) => points.map(([, value]) => value)),
  );
  const gap = (WIDTH - LEFT - RIGHT) / Math.max(1, steps.length - 1);
  const x = (step) => LEFT + steps.indexOf(step) * gap;
  const right = x(steps.at(-1));
  const grid = [
    ...heights.flatMap((height) => [
      line(
        [
          [LEFT, y(height)],
          [right, y(height)],
        ],
        COLOURS.grid,
      ),
      text(LEFT - 10, y(height) + 4, height.toLocaleString('en'), {
        'text-anchor': 'end',
        fill: COLOURS.note,
      }),
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

module.exports = { lines, spreadOut, stepsAround };
