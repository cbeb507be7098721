'use strict';

const { FIGURES } = require('../figures');
const { COLOURS, TOP, WIDTH, frame, line, rect, text } = require('./svg');

const LEFT = 172;
const RIGHT = 210;
const ROW = 22;
const BAR = 14;
const STEPS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

const times = (ratio) => `${ratio < 10 ? ratio.toFixed(1) : Math.round(ratio)}×`;

/** A logarithmic scale that holds 1 and all values. */
function scaleFor(values) {
  const low = STEPS.findLast((step) => step <= Math.min(1, ...values)) ?? STEPS[0];
  const high = STEPS.find((step) => step >= Math.max(2, ...values)) ?? Math.max(...values);
  const room = WIDTH - LEFT - RIGHT;
  const span = Math.log(high / low);
  return {
    x: (value) => LEFT + (Math.log(Math.max(value, low) / low) / span) * room,
    steps: STEPS.filter((step) => step >= low && step <= high),
  };
}

function bar({ name, summary }, figure, goal, x, top) {
  const ratio = summary.ratios[figure];
  const { show } = FIGURES[figure];
  const [from, to] = [x(1), x(ratio)].sort((a, b) => a - b);
  const middle = top + BAR - 3;
  const both = `${show(summary.nodemailer[figure])} → ${show(summary.postpool[figure])}`;
  return [
    text(LEFT - 10, middle, name, { 'text-anchor': 'end' }),
    rect(from, top, Math.max(1, to - from), BAR, ratio < 1 ? COLOURS.nodemailer : COLOURS.postpool),
    goal &&
      line(
        [
          [x(goal), top - 3],
          [x(goal), top + BAR + 3],
        ],
        COLOURS.ink,
        { 'stroke-width': 2.5 },
      ),
    text(WIDTH - RIGHT + 12, middle, times(ratio), { 'font-weight': 'bold' }),
    text(WIDTH - RIGHT + 60, middle, both, { fill: COLOURS.note, 'font-size': 11 }),
  ].filter(Boolean);
}

/** How many times better postpool is in one figure, a bar for each case, the goal as a black mark. */
function ratios({ cases, figure, goals, titles, note }) {
  const goalOf = ({ name }) => goals.least[name]?.[figure];
  const marks = cases.map(goalOf).filter(Boolean);
  const { x, steps } = scaleFor([...cases.map(({ summary }) => summary.ratios[figure]), ...marks]);
  const bottom = TOP + 22 + cases.length * ROW;
  const grid = steps.flatMap((step) => [
    line(
      [
        [x(step), TOP + 8],
        [x(step), bottom],
      ],
      step === 1 ? COLOURS.nodemailer : COLOURS.grid,
    ),
    text(x(step), TOP + 2, `${step}×`, { 'text-anchor': 'middle', fill: COLOURS.note, 'font-size': 11 }),
  ]);
  const bars = cases.flatMap((one, index) => bar(one, figure, goalOf(one), x, TOP + 18 + index * ROW));
  return frame(bottom + 12, titles, note, [...grid, ...bars]);
}

module.exports = { ratios };
