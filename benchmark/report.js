'use strict';

const { median, spread } = require('./statistics');

const micro = (value) => `${value < 100 ? value.toFixed(1) : Math.round(value)} µs`;
const KILOBYTE = 1024;

/** The figures of a library, how they are shown, and whether more of it is better. */
const FIGURES = {
  rate: { title: 'msg/s', show: (value) => String(Math.round(value)), more: true },
  cpu: { title: 'CPU/msg', show: micro },
  busy: { title: 'JS busy/msg', show: micro },
  delay: { title: 'loop delay p99', show: (value) => `${value.toFixed(1)} ms` },
};
const BURST_FIGURES = {
  handOver: { title: 'hand over/msg', show: micro },
  memory: { title: 'peak memory', show: (value) => `${Math.round(value / KILOBYTE / KILOBYTE)} MB` },
};

function figuresOf(result) {
  return result.depth === null ? { ...FIGURES, ...BURST_FIGURES } : FIGURES;
}

/** Medians of a case for each library, and how many times better postpool's are. */
function summarise(result) {
  const names = Object.keys({ ...FIGURES, ...BURST_FIGURES });
  const each = (library, name) => result.rounds.map((round) => round[library][name]);
  const of = (library) => Object.fromEntries(names.map((name) => [name, median(each(library, name))]));
  const [nodemailer, postpool] = [of('nodemailer'), of('postpool')];
  const ratio = (name) => {
    const [better, worse] = FIGURES[name]?.more ? [postpool, nodemailer] : [nodemailer, postpool];
    return better[name] / worse[name];
  };
  const ceilings = result.rounds.map((round) => round.ceiling).filter((rate) => rate !== undefined);
  return {
    nodemailer,
    postpool,
    ratios: Object.fromEntries(names.map((name) => [name, ratio(name)])),
    spreads: {
      nodemailer: spread(each('nodemailer', 'rate')),
      postpool: spread(each('postpool', 'rate')),
    },
    ...(ceilings.length > 0 && { ceiling: median(ceilings) }),
  };
}

function describeSink({ kind, ...options }) {
  const extras = Object.entries(options).map(([name, value]) => (value === true ? name : `${name} ${value}`));
  return [kind, ...extras].join(', ');
}

/** The table of one case as lines of text. */
function table(result) {
  const { nodemailer, postpool, ratios, spreads, ceiling } = summarise(result);
  const figures = Object.entries(figuresOf(result));
  const row = (title, cells) => `  ${title.padEnd(12)}${cells.map((cell) => cell.padStart(17)).join('')}`;
  const library = (title, values, spreadOf) => {
    const shown = figures.map(([name, figure]) => figure.show(values[name]));
    shown[0] += ` ±${Math.round(spreadOf * 100)} %`;
    return row(title, shown);
  };
  const times = (value) => (Number.isFinite(value) ? `${value.toFixed(1)}×` : '–');
  const lines = [
    `${result.name}: ${result.messages} × ${result.workload} to ${describeSink(result.sink)}, ` +
      `${result.connections} connections, median of ${result.rounds.length} rounds`,
    row(
      '',
      figures.map(([, figure]) => figure.title),
    ),
    library('nodemailer', nodemailer, spreads.nodemailer),
    library('postpool', postpool, spreads.postpool),
    row(
      'better',
      figures.map(([name]) => times(ratios[name])),
    ),
  ];
  if (ceiling !== undefined) {
    const share = Math.round((postpool.rate / ceiling) * 100);
    lines.push(
      `  smtp-source ${String(Math.round(ceiling)).padStart(12)}      (composes nothing; postpool reaches ${share} % of it)`,
    );
  }
  return lines.join('\n');
}

/** Everything measured, and where, as a plain record. */
function toRecord(results, command) {
  const os = require('node:os');
  const cpu = os.cpus()[0]?.model ?? 'unknown';
  return {
    command,
    date: new Date().toISOString(),
    node: process.version,
    nodemailer: require('nodemailer/package.json').version,
    postpool: require('../package.json').version,
    machine: { cpu, cores: os.cpus().length, platform: `${os.type()} ${os.release()} ${os.arch()}` },
    cases: results.map((result) => ({ ...result, summary: summarise(result) })),
  };
}

module.exports = { describeSink, summarise, table, toRecord };
