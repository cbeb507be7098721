'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { run } = require('../../scripts/support/process');
const { findProgram } = require('../../scripts/support/debian');
const { FIGURES } = require('../figures');
const goals = require('../goals.json');
const { lines } = require('./lines');
const { pairs } = require('./pairs');
const { ratios } = require('./ratios');
const { COLOURS } = require('./svg');

// More pixels than the drawing is wide, for screens that have them.
const ZOOM = '1.5';
const LIBRARIES = ['nodemailer', 'postpool'];
const DASHES = { chunking: '', pipelining: '7 4', plain: '2 4' };
const OFFERS = { chunking: 'CHUNKING', pipelining: 'PIPELINING', plain: 'neither' };

const RATIOS = {
  rate: {
    title: 'Messages a second, times nodemailer’s',
    subtitle: 'Logarithmic; black mark: the goal. Right: nodemailer → postpool, messages a second.',
  },
  cpu: {
    title: 'CPU time a message, times less than nodemailer’s',
    subtitle:
      'All threads, kernel included. Logarithmic; black mark: the goal. Right: nodemailer → postpool.',
  },
  busy: {
    title: 'Busy time of the JavaScript thread a message, times less than nodemailer’s',
    subtitle: 'Logarithmic; black mark: the goal. Right: nodemailer → postpool.',
  },
};

/** Lines from cases whose names a pattern matches: its first group is the step, its second the variant. */
function seriesOf(cases, pattern, nameOf, dashOf) {
  const found = new Map();
  for (const { name, summary } of cases) {
    const [matched, step, variant] = pattern.exec(name) ?? [];
    if (!matched) continue;
    for (const library of LIBRARIES) {
      const key = nameOf(library, variant);
      const one = found.get(key) ?? {
        name: key,
        colour: COLOURS[library],
        dash: dashOf(variant),
        points: [],
      };
      one.points.push([Number(step), summary[library].rate]);
      found.set(key, one);
    }
  }
  return [...found.values()].filter(({ points }) => points.length > 1);
}

function roundTrips(cases, note) {
  const name = (library, variant) => `${library}, ${OFFERS[variant]}`;
  const series = seriesOf(cases, /^rtt-(\d+)-(\w+)$/, name, (variant) => DASHES[variant]);
  const titles = {
    title: 'Messages a second over the round trip',
    subtitle: 'Small messages, five connections; what the server offers. Logarithmic.',
  };
  return series.length > 0 && lines({ series, unit: (step) => `${step} ms`, titles, note });
}

/** The case with five connections is called by its workload. */
function connections(cases, note) {
  const alias = { small: 'connections-5', 'small-kit': 'connections-5-kit' };
  const named = cases
    .map((one) => ({ ...one, name: alias[one.name] ?? one.name }))
    .sort((a, b) => (a.connections ?? 0) - (b.connections ?? 0));
  const name = (library, variant) => `${library}, ${variant ? 'test kit' : 'smtp-sink'}`;
  const series = seriesOf(named, /^connections-(\d+)(-kit)?$/, name, (variant) => (variant ? '7 4' : ''));
  const titles = {
    title: 'Messages a second over the connections',
    subtitle: 'Small messages. Logarithmic.',
  };
  return series.length > 0 && lines({ series, unit: String, titles, note });
}

function memory(cases, note) {
  const rows = cases
    .filter(({ measure }) => measure === 'memory')
    .flatMap(({ name, messages, summary }) =>
      ['rss', 'heap'].map((figure) => ({
        label: `${messages.toLocaleString('en')} queued, ${figure === 'rss' ? 'RSS' : 'V8 heap'}`,
        nodemailer: summary.nodemailer[figure],
        postpool: summary.postpool[figure],
        mark: goals.least[name]?.[figure] && summary.nodemailer[figure] / goals.least[name][figure],
      })),
    );
  const titles = {
    title: 'Memory of a queued message',
    subtitle: 'Small messages, the server never greets; octets a message. Black mark: the goal.',
  };
  return rows.length > 0 && pairs({ rows, show: FIGURES.rss.show, titles, note });
}

function noteOf({ runs, machine }) {
  const { command, date } = runs.at(-1);
  const more = runs.length > 1 ? ` (the last of ${runs.length} runs)` : '';
  return {
    where: `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${date.slice(0, 10)}`,
    command: command + more,
  };
}

/** PNGs beside the SVGs, or why there are none. */
async function rasterise(folder, names) {
  const program = findProgram('rsvg-convert');
  if (!program) return ['no PNG without rsvg-convert (Debian package librsvg2-bin)'];
  const pngs = names.map((name) => name.replace(/svg$/, 'png'));
  for (const [index, name] of names.entries()) {
    const [from, to] = [path.resolve(folder, name), path.resolve(folder, pngs[index])];
    const code = await run(program, ['--zoom', ZOOM, '--output', to, from]);
    if (code !== 0) throw new Error(`rsvg-convert ended with ${code}`);
  }
  return pngs;
}

/** The charts of a record as SVG, by file name; only those that it has figures for. */
function svgCharts(record) {
  const note = noteOf(record);
  const traffic = record.cases.filter(({ measure }) => measure === 'traffic');
  const charts = [
    ...Object.entries(RATIOS).map(([figure, titles]) => [
      `${figure}.svg`,
      traffic.length > 0 && ratios({ cases: traffic, figure, goals, titles, note }),
    ]),
    ['round-trip.svg', roundTrips(record.cases, note)],
    ['connections.svg', connections(record.cases, note)],
    ['memory.svg', memory(record.cases, note)],
  ];
  return Object.fromEntries(charts.filter(([, svg]) => svg));
}

/** Draws what a record holds into a folder; gives the names of the files. */
async function drawCharts(record, folder) {
  fs.mkdirSync(folder, { recursive: true });
  const charts = svgCharts(record);
  for (const [name, svg] of Object.entries(charts)) fs.writeFileSync(path.join(folder, name), svg);
  return [...Object.keys(charts), ...(await rasterise(folder, Object.keys(charts)))];
}

module.exports = { drawCharts, svgCharts };
