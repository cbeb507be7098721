// The pieces that all charts are made of.
'use strict';

const WIDTH = 860;
const COLOURS = {
  nodemailer: '#8794a3',
  postpool: '#d9480f',
  ink: '#1f2933',
  note: '#52606d',
  grid: '#e4e7eb',
};
const NOTE_LENGTH = 118;
/** Where a chart's own drawing begins. */
const TOP = 88;

const escapeXml = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const shorten = (line) => (line.length > NOTE_LENGTH ? `${line.slice(0, NOTE_LENGTH)}…` : line);
const at = (number) => Number(number.toFixed(1));

function attributes(values) {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${typeof value === 'number' ? at(value) : value}"`)
    .join('');
}

function text(x, y, content, more = {}) {
  return `<text${attributes({ x, y, ...more })}>${escapeXml(content)}</text>`;
}

function rect(x, y, width, height, fill) {
  return `<rect${attributes({ x, y, width, height, fill })}/>`;
}

function line(points, stroke, more = {}) {
  const path = points.map(([x, y], index) => `${index ? 'L' : 'M'}${at(x)} ${at(y)}`).join('');
  return `<path${attributes({ d: path, fill: 'none', stroke, ...more })}/>`;
}

/** A whole chart: what it shows, where and how that was measured, and the drawing. */
function frame(height, { title, subtitle }, note, body) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${at(height)}" width="${WIDTH}" height="${at(height)}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" fill="${COLOURS.ink}">
${rect(0, 0, WIDTH, height, '#fff')}
${text(16, 26, title, { 'font-size': 17, 'font-weight': 'bold' })}
${text(16, 45, subtitle, { fill: COLOURS.note })}
${text(16, 62, shorten(`${note.where}: ${note.command}`), { fill: COLOURS.note, 'font-size': 10 })}
${body.join('\n')}
</svg>
`;
}

module.exports = { COLOURS, TOP, WIDTH, frame, line, rect, text };
