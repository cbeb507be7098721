'use strict';

const { COLOURS, TOP, WIDTH, frame, line, rect, text } = require('./svg');

const LEFT = 200;
const RIGHT = 170;
const BAR = 18;
const GAP = 20;

/**
 * Two bars for each row, nodemailer's and postpool's, on one linear scale; `mark` is the goal.
 *
 * `rows` are `{ label, nodemailer, postpool, mark }`.
 */
function pairs({ rows, show, titles, note }) {
  const most = Math.max(...rows.flatMap(({ nodemailer, postpool }) => [nodemailer, postpool]));
  const length = (value) => Math.max(1, (value / most) * (WIDTH - LEFT - RIGHT));
  const drawn = rows.flatMap(({ label, mark, ...values }, index) => {
    const top = TOP + index * (2 * BAR + GAP);
    const bars = ['nodemailer', 'postpool'].flatMap((library, place) => {
      const y = top + place * BAR;
      const value = values[library];
      return [
        rect(LEFT, y, length(value), BAR - 2, COLOURS[library]),
        text(LEFT + length(value) + 8, y + BAR - 5, `${show(value)} ${library}`),
      ];
    });
    const goal = LEFT + length(mark ?? 0);
    return [
      text(LEFT - 10, top + BAR + 3, label, { 'text-anchor': 'end' }),
      ...bars,
      ...(mark
        ? [
            line(
              [
                [goal, top + BAR - 3],
                [goal, top + 2 * BAR + 1],
              ],
              COLOURS.ink,
              { 'stroke-width': 2.5 },
            ),
          ]
        : []),
    ];
  });
  return frame(TOP + rows.length * (2 * BAR + GAP), titles, note, drawn);
}

module.exports = { pairs };
