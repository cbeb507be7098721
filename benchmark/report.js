'use strict';

const { CEILING } = require('./ceiling');
const { FIGURES } = require('./figures');
const { compareWith } = require('./limits');
const { WORKLOADS } = require('./workloads');

const NAME = 14;
const COLUMN = 15;

function describeSink({ kind, ...options }) {
  const extras = Object.entries(options).map(([name, value]) =>
    typeof value === 'boolean' ? (value ? name : `no ${name}`) : `${name} ${value}`,
  );
  return [kind, ...extras].join(', ');
}

/** What a case does, in a few words. */
function describeCase({ measure, workload, messages, sink, connections }) {
  if (measure === 'load') return 'loading in fresh processes';
  const what = messages === undefined ? workload : `${messages.toLocaleString('en')} × ${workload}`;
  if (measure === 'memory') return `${what} queued, the server never greets`;
  return `${what} to ${describeSink(sink)}, ${connections} connection${connections === 1 ? '' : 's'}`;
}

const times = (value) => (Number.isFinite(value) ? `${value.toFixed(value < 100 ? 1 : 0)}×` : '–');
const row = (title, cells) => `  ${title.padEnd(NAME)}${cells.map((cell) => cell.padStart(COLUMN)).join('')}`;

/** Half the distance of the extremes as a share of the median. */
function spread(median, [low, high]) {
  return median > 0 && high > low ? ` ±${Math.round(((high - low) / 2 / median) * 100)} %` : '';
}

/** The last lines: what the ratios alone do not say. */
function remarks({ grownFrom, workload, summary }) {
  const grownBy = WORKLOADS[workload]?.recipients ? 'a recipient' : 'a message';
  const { growth, ratios } = summary;
  return [
    ratios.share !== undefined &&
      `  postpool reaches ${Math.round(ratios.share * 100)} % of ${CEILING}, which composes nothing and waits for each reply`,
    growth &&
      `  ${grownBy} costs ${growth.postpool.toFixed(2)} times the CPU time it costs in ${grownFrom} ` +
        `(nodemailer ${growth.nodemailer.toFixed(2)})`,
  ].filter(Boolean);
}

/** The table of one case as lines of text. */
function table(one) {
  const { summary, rounds } = one;
  const contenders = ['nodemailer', 'postpool', CEILING].filter((name) => summary[name]);
  const names = Object.keys(FIGURES).filter((name) =>
    contenders.some((each) => summary[each][name] !== undefined),
  );
  const cell = (contender, name, index) => {
    const value = summary[contender][name];
    if (value === undefined) return '';
    return FIGURES[name].show(value) + (index === 0 ? spread(value, summary.ranges[contender][name]) : '');
  };
  const library = (contender) =>
    row(
      contender,
      names.map((name, index) => cell(contender, name, index)),
    );
  const many = rounds.length === 1 ? 'one round' : `medians of ${rounds.length} rounds`;
  return [
    `${one.name}: ${describeCase(one)}; ${many}`,
    row(
      '',
      names.map((name) => FIGURES[name].title),
    ),
    ...contenders.map(library),
    row(
      'better',
      names.map((name) => (name in summary.ratios ? times(summary.ratios[name]) : '')),
    ),
    ...remarks(one),
  ].join('\n');
}

/** How the cases stand to their goals. */
function goalTable(goals, cases) {
  const number = (value) => Number(value.toPrecision(3)).toLocaleString('en');
  return compareWith(goals, cases).map(({ name, figure, kind, limit, value, held }) => {
    const mark = held ? 'reached' : value === undefined ? 'not measured' : 'missed';
    const sign = kind === 'least' ? '≥' : '≤';
    const reached = value === undefined ? '' : number(value);
    return `  ${name.padEnd(22)}${figure.padEnd(8)}${reached.padStart(10)}   ${sign} ${number(limit).padEnd(10)} ${mark}`;
  });
}

module.exports = { describeCase, goalTable, table };
