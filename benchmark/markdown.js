'use strict';

const { CEILING } = require('./ceiling');
const { FIGURES } = require('./figures');
const { compareWith } = require('./limits');
const { duration } = require('./progress');
const { describeCase } = require('./report');

const NONE = '–';
const LIBRARIES = ['nodemailer', 'postpool'];

const times = (value) => (value === undefined ? NONE : `${value.toFixed(value < 100 ? 1 : 0)}×`);
const row = (cells) => `| ${cells.join(' | ')} |`;

/** A table whose columns are `[title, cell]`; all but the first are numbers. */
function grid(columns, items) {
  const head = row(columns.map(([title]) => title));
  const rule = row(columns.map((_, index) => (index === 0 ? '---' : '--:')));
  return [head, rule, ...items.map((item) => row(columns.map(([, cell]) => cell(item))))].join('\n');
}

/** A median, and behind it the lowest and the highest value. */
function withRange(figure) {
  return (library) =>
    ({ summary }) => {
      const value = summary[library]?.[figure];
      if (value === undefined) return NONE;
      const [low, high] = summary.ranges[library][figure];
      const { show } = FIGURES[figure];
      return low === high ? show(value) : `${show(value)} (${show(low)} – ${show(high)})`;
    };
}

const ratio = (figure) => (one) => times(one.summary.ratios[figure]);
const share = ({ summary }) => (summary.ratios.share ? `${Math.round(summary.ratios.share * 100)} %` : NONE);

function speed(cases) {
  const rate = withRange('rate');
  return grid(
    [
      ['case', ({ name }) => `\`${name}\``],
      ['nodemailer, msg/s', rate('nodemailer')],
      ['postpool, msg/s', rate('postpool')],
      ['better', ratio('rate')],
      [`${CEILING}, msg/s`, rate(CEILING)],
      ['share of it', share],
    ],
    cases,
  );
}

function costs(cases) {
  const both = (figure) => [
    FIGURES[figure].title,
    (one) =>
      LIBRARIES.map((library) => one.summary[library][figure])
        .map(shown(figure))
        .join(' → '),
  ];
  const shown = (figure) => (value) => (value === undefined ? NONE : FIGURES[figure].show(value));
  const named = (figure) => [both(figure), ['better', ratio(figure)]];
  return grid(
    [['case', ({ name }) => `\`${name}\``], ...['cpu', 'thread', 'busy'].flatMap(named), both('delay')],
    cases,
  );
}

function memory(cases) {
  const columns = ['rss', 'heap', 'handOver'].flatMap((figure) => [
    ...LIBRARIES.map((library) => [`${library}, ${FIGURES[figure].title}`, withRange(figure)(library)]),
    ['better', ratio(figure)],
  ]);
  return grid([['case', ({ name }) => `\`${name}\``], ...columns], cases);
}

function growth(cases) {
  return cases.map(
    ({ name, grownFrom, summary }) =>
      `- \`${name}\` compared with \`${grownFrom}\`: ${summary.growth.postpool.toFixed(2)} times the CPU time ` +
      `(nodemailer ${summary.growth.nodemailer.toFixed(2)}).`,
  );
}

function loading({ summary: { nodemailer, postpool, extra } }) {
  const megabytes = FIGURES.addon.show(postpool.addon);
  return (
    `\`require\` takes ${FIGURES.load.show(nodemailer.load)} with nodemailer and ` +
    `${FIGURES.load.show(postpool.load)} with postpool, ${extra.toFixed(1)} ms more; the addon has ${megabytes}.`
  );
}

function goalRows(goals, cases) {
  const number = (value) => Number(value.toPrecision(3)).toLocaleString('en');
  return grid(
    [
      ['case', ({ name }) => `\`${name}\``],
      ['figure', ({ figure }) => figure],
      ['goal', ({ kind, limit }) => `${kind === 'least' ? '≥' : '≤'} ${number(limit)}`],
      ['measured', ({ value }) => (value === undefined ? NONE : number(value))],
      ['', ({ held }) => (held ? 'reached' : '**missed**')],
    ],
    compareWith(goals, cases),
  );
}

/** Where the figures come from, and how they were made. */
function origin({ runs, machine, nodemailer, cases }) {
  const took = runs.reduce((sum, run) => sum + run.took, 0);
  const rounds = [...new Set(cases.map((one) => one.rounds.length))].sort((a, b) => a - b).join(' or ');
  const what =
    rounds === '1' ? 'one round' : `medians of ${rounds} rounds, in brackets the lowest and the highest`;
  const commands = [...new Set(runs.map(({ command }) => command))];
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node.js ${machine.node}, nodemailer ${nodemailer}, ` +
      `${runs.at(-1).date.slice(0, 10)}; ${what}; ${duration(took)} in all.`,
    ['```sh', ...commands, '```'].join('\n'),
  ];
}

const paragraphs = (parts) => `${parts.filter(Boolean).join('\n\n')}\n`;

/** Everything that a record holds, as tables to read. */
function toMarkdown(record, goals) {
  const of = (measure) => record.cases.filter((one) => one.measure === measure);
  const [traffic, queued, [loaded]] = ['traffic', 'memory', 'load'].map(of);
  const grown = traffic.filter(({ summary }) => summary.growth);
  const section = (title, items, draw) => (items.length > 0 ? [`## ${title}`, draw(items)] : []);
  return paragraphs([
    '# All figures',
    '<!-- Written by the benchmark; see README.md. -->',
    ...origin(record),
    ...section('Goals', compareWith(goals, record.cases), () => goalRows(goals, record.cases)),
    ...section('Messages a second', traffic, speed),
    ...section('What a message costs', traffic, costs),
    traffic.length > 0 && 'In a pair the first figure is nodemailer’s, the second one postpool’s.',
    ...section('Growth', grown, (cases) => growth(cases).join('\n')),
    ...section('Memory of a queued message', queued, memory),
    ...(loaded ? ['## Loading', loading(loaded)] : []),
    ...section('What the cases are', record.cases, (cases) =>
      cases.map((one) => `- \`${one.name}\`: ${describeCase(one)}`).join('\n'),
    ),
  ]);
}

module.exports = { toMarkdown };
