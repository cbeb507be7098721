'use strict';

const { svgCharts } = require('../../../benchmark/charts');
const { spreadOut, stepsAround } = require('../../../benchmark/charts/lines');
const { toRecord } = require('../../../benchmark/record');
const { result } = require('./figures');

const queued = {
  ...result('queued-20000'),
  measure: 'memory',
  messages: 20000,
  rounds: [{ nodemailer: { rss: 4000, heap: 3000 }, postpool: { rss: 1000, heap: 500 } }],
};
const CASES = [
  ...[
    'small',
    'connections-1',
    'connections-20',
    'rtt-1-chunking',
    'rtt-50-chunking',
    'rtt-1-plain',
    'rtt-50-plain',
  ].map((name) => result(name)),
  queued,
];

const charts = (cases) => svgCharts(toRecord(cases, { command: 'npm run bench -- <all> & more', took: 1 }));

test('charts are drawn for what was measured', () => {
  const drawn = charts(CASES);
  const expected = ['rate', 'cpu', 'busy', 'round-trip', 'connections', 'memory'];
  expect(Object.keys(drawn)).toEqual(expected.map((name) => `${name}.svg`));
  for (const svg of Object.values(drawn)) {
    expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
    expect(svg).toContain('npm run bench -- &lt;all> &amp; more');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  }
});

test('a chart without figures is not drawn', () => {
  expect(Object.keys(charts([queued]))).toEqual(['memory.svg']);
  expect(Object.keys(charts([result('tls')]))).toEqual(['rate.svg', 'cpu.svg', 'busy.svg']);
});

test('a bar has its ratio, both figures and, where there is one, the goal', () => {
  const goals = (name) => charts([result(name)])['rate.svg'].match(/stroke-width="2.5"/g)?.length ?? 0;
  const svg = charts([result('small')])['rate.svg'];
  expect(svg).toContain('>8.0×<');
  expect(svg).toContain('>200 → 1,600<');
  expect([goals('small'), goals('smtp-server')]).toEqual([1, 0]);
});

test('a ratio below 1 points the other way', () => {
  const svg = charts([result('tls', { times: 0.6 })])['rate.svg'];
  expect(svg).toContain('>0.6×<');
  expect(svg).not.toMatch(/width="-/);
});

test('labels that would lie on one another are moved apart', () => {
  const places = spreadOut([
    ['low', 50],
    ['same', 50],
    ['far', 200],
  ]);
  expect([...places]).toEqual([
    ['low', 50],
    ['same', 64],
    ['far', 200],
  ]);
});

test.each([
  [
    [30, 700],
    [20, 50, 100, 200, 500, 1000],
  ],
  [
    [20, 50],
    [20, 50],
  ],
  [
    [7, 7],
    [5, 10],
  ],
  [
    [100, 100],
    [100, 200],
  ],
])('the scale for %j has steps at %j', (values, steps) => expect(stepsAround(values)).toEqual(steps));
