'use strict';

const fs = require('node:fs');
const path = require('node:path');

const WIDTH = 760;
const LABEL = 170;
const VALUE = 110;
const BAR = 16;
const GAP = 26;
const HEAD = 80;
const LINE = 14;
const NOTE_LENGTH = 100;
const COLOURS = { nodemailer: '#9aa5b1', postpool: '#d9480f' };

const escapeXml = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

function text(x, y, content, more = '') {
  return `<text x="${x}" y="${y}" ${more}>${escapeXml(content)}</text>`;
}

function shorten(line) {
  return line.length > NOTE_LENGTH ? `${line.slice(0, NOTE_LENGTH)}…` : line;
}

function frame(height, title, note, body) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${text(16, 24, title, 'font-size="16" font-weight="bold"')}
${text(16, 44, note.where, 'fill="#52606d"')}
${text(16, 60, shorten(note.command), 'fill="#52606d" font-family="monospace" font-size="11"')}
${body}
</svg>
`;
}

/** Two bars for each case: how much of a figure either library needs or reaches, the larger one whole. */
function bars(cases, figure, title, note, show) {
  const room = WIDTH - LABEL - VALUE;
  const body = cases.map(({ name, summary }, index) => {
    const top = HEAD + index * (2 * BAR + GAP);
    const most = Math.max(summary.nodemailer[figure], summary.postpool[figure]);
    const bar = (library, row) => {
      const value = summary[library][figure];
      const width = most > 0 ? Math.max(1, (value / most) * room) : 1;
      const y = top + row * BAR;
      return (
        `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${COLOURS[library]}"/>` +
        text(LABEL + width + 6, y + BAR - 5, `${show(value)} ${library}`)
      );
    };
    const label = text(LABEL - 10, top + BAR + 4, name, 'text-anchor="end" font-weight="bold"');
    return [label, bar('nodemailer', 0), bar('postpool', 1)].join('\n');
  });
  return frame(HEAD + cases.length * (2 * BAR + GAP), title, note, body.join('\n'));
}

const NEAREST_TEN = 10;
const PLOT = { left: 70, top: 90, width: 530, height: 300 };

/** Heights by name, moved down where they would lie on one another. */
function spreadOut(labels) {
  let free = -Infinity;
  const sorted = [...labels].sort(([, a], [, b]) => a - b);
  return new Map(
    sorted.map(([name, y]) => {
      const place = Math.max(y, free);
      free = place + LINE;
      return [name, place];
    }),
  );
}

/** Messages a second over the round trip, both axes logarithmic. */
function lines(series, note) {
  const points = series.flatMap((line) => line.points);
  const span = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)].map(Math.log10);
    return [Math.floor(low), Math.ceil(high) === Math.floor(low) ? Math.floor(low) + 1 : Math.ceil(high)];
  };
  const [xs, ys] = [span(points.map(([x]) => x)), span(points.map(([, y]) => y))];
  const at = (value, [low, high], length) => ((Math.log10(value) - low) / (high - low)) * length;
  const x = (value) => PLOT.left + at(value, xs, PLOT.width);
  const y = (value) => PLOT.top + PLOT.height - at(value, ys, PLOT.height);
  const powers = ([low, high]) => Array.from({ length: high - low + 1 }, (_, i) => NEAREST_TEN ** (low + i));
  const grid = [
    ...powers(ys).map(
      (value) =>
        `<path d="M${PLOT.left} ${y(value)}h${PLOT.width}" stroke="#e4e7eb"/>` +
        text(PLOT.left - 8, y(value) + 4, String(value), 'text-anchor="end"'),
    ),
    ...powers(xs).map((value) =>
      text(x(value), PLOT.top + PLOT.height + 18, `${value} ms`, 'text-anchor="middle"'),
    ),
  ];
  const labels = spreadOut(series.map(({ name, points: line }) => [name, y(line.at(-1)[1])]));
  const drawn = series.map(({ name, colour, dashed, points: line }) => {
    const path = line
      .map(([px, py], i) => `${i ? 'L' : 'M'}${x(px).toFixed(1)} ${y(py).toFixed(1)}`)
      .join('');
    const dash = dashed ? ' stroke-dasharray="5 4"' : '';
    return (
      `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>` +
      text(x(line.at(-1)[0]) + 6, labels.get(name) + 4, name, `fill="${colour}"`)
    );
  });
  const height = PLOT.top + PLOT.height + 40;
  return frame(height, 'Messages a second over the round trip', note, [...grid, ...drawn].join('\n'));
}

/** The cases named `rtt-MS-EXTENSION` as one line for each library and extension. */
function roundTripSeries(cases) {
  const found = new Map();
  for (const { name, summary } of cases) {
    const [, rtt, extension] = /^rtt-(\d+)-(\w+)$/.exec(name) ?? [];
    if (!rtt) continue;
    for (const library of ['nodemailer', 'postpool']) {
      const key = `${library}, ${extension}`;
      const line = found.get(key) ?? { name: key, colour: COLOURS[library], points: [] };
      line.dashed = extension !== 'chunking';
      line.points.push([Number(rtt), summary[library].rate]);
      found.set(key, line);
    }
  }
  return [...found.values()];
}

/** Draws what a record holds into a folder; gives the names of the files. */
function drawCharts(record, folder) {
  fs.mkdirSync(folder, { recursive: true });
  const { command, node, machine, date } = record;
  const where = `${machine.cpu}, ${machine.cores} cores, Node ${node}, ${date.slice(0, 10)}`;
  const note = { where, command };
  const others = record.cases.filter(({ name }) => !name.startsWith('rtt-'));
  const series = roundTripSeries(record.cases);
  const micro = (value) => `${Math.round(value)} µs`;
  const charts = {
    ...(others.length > 0 && {
      'rate.svg': bars(others, 'rate', 'Messages a second', note, (value) => String(Math.round(value))),
      'cpu.svg': bars(others, 'cpu', 'CPU time a message', note, micro),
      'busy.svg': bars(others, 'busy', 'Busy time of the JavaScript thread a message', note, micro),
    }),
    ...(series.length > 0 && { 'round-trip.svg': lines(series, note) }),
  };
  for (const [name, svg] of Object.entries(charts)) fs.writeFileSync(path.join(folder, name), svg);
  return Object.keys(charts);
}

module.exports = { drawCharts };
