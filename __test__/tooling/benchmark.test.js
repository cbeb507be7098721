'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { CASES, selectCases } = require('../../benchmark/cases');
const { drawCharts } = require('../../benchmark/chart');
const { belowFloor } = require('../../benchmark/check');
const floors = require('../../benchmark/floors.json');
const { UsageError, readOptions } = require('../../benchmark/options');
const { summarise, table, toRecord } = require('../../benchmark/report');
const { median, spread } = require('../../benchmark/statistics');
const { WORKLOADS } = require('../../benchmark/workloads');

const run = (rate) => ({ rate, cpu: 1e6 / rate, busy: 5e5 / rate, delay: 1, handOver: 2, memory: 3 });
const result = (name) => ({
  name,
  workload: 'small',
  sink: { kind: 'smtp-sink' },
  connections: 5,
  messages: 10,
  warmUp: 1,
  depth: 100,
  rounds: [100, 300, 200].map((rate) => ({ nodemailer: run(rate), postpool: run(rate * 8), ceiling: 3200 })),
});

test.each([
  [[3, 1, 2], 2],
  [[4, 1, 2, 3], 2.5],
  [[7], 7],
])('the median of %j is %d', (values, expected) => expect(median(values)).toBe(expected));

test('the spread is half the distance of the extremes, as a share of the median', () => {
  expect(spread([90, 100, 110])).toBeCloseTo(0.1);
  expect(spread([0, 0])).toBe(0);
});

test('names are unique, and every case has a workload', () => {
  expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  for (const { workload } of CASES) expect(Object.keys(WORKLOADS)).toContain(workload);
});

test('cases are chosen by name or pattern, the default ones by none', () => {
  const names = (...patterns) => selectCases(patterns).map(({ name }) => name);
  expect(names()).toEqual(['small', 'newsletter', 'attachment-1mb']);
  expect(names('tls', 'small')).toEqual(['small', 'tls']);
  expect(names('rtt-50-*')).toEqual(['rtt-50-pipelining', 'rtt-50-chunking']);
  expect(names('sma.l')).toEqual([]);
  expect(names('*')).toHaveLength(CASES.length);
});

test.each([[['--rounds', '0']], [['--scale', 'x']], [['--what']]])('%j is refused', (args) => {
  expect(() => readOptions(args)).toThrow(UsageError);
});

test('a ratio above 1 means that postpool is better, whichever way the figure points', () => {
  const { nodemailer, postpool, ratios, ceiling } = summarise(result('small'));
  expect([nodemailer.rate, postpool.rate, ceiling]).toEqual([200, 1600, 3200]);
  expect(ratios.rate).toBeCloseTo(8);
  expect(ratios.cpu).toBeCloseTo(8);
  expect(ratios.delay).toBe(1);
});

test('the table shows medians, ratios and the share of the ceiling', () => {
  const text = table(result('small'));
  expect(text).toMatch(/nodemailer +200 ±50 % +5000 µs/);
  expect(text).toMatch(/postpool +1600 ±50 % +625 µs/);
  expect(text).toMatch(/better +8\.0×/);
  expect(text).toMatch(/smtp-source +3200 .*50 %/);
});

describe('floors', () => {
  afterEach(() => delete floors.made);

  test('a ratio below its floor is a complaint, one at its floor is not', () => {
    const record = toRecord([result('made')], 'npm run bench');
    floors.made = { rate: 8, cpu: 8.1 };
    expect(belowFloor(record)).toEqual([expect.stringMatching(/^made: cpu is 8\.00×, its floor 8\.1×$/)]);
  });

  test('a case without floors does not pass', () => {
    expect(belowFloor(toRecord([result('made')], 'npm run bench'))).toHaveLength(1);
  });
});

test('charts are drawn for what was measured', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-charts-'));
  const cases = ['small', 'rtt-1-chunking', 'rtt-50-chunking', 'rtt-1-pipelining', 'rtt-50-pipelining'];
  const files = drawCharts(toRecord(cases.map(result), 'npm run bench -- <all>'), folder);
  expect(files).toEqual(['rate.svg', 'cpu.svg', 'busy.svg', 'round-trip.svg']);
  for (const file of files) {
    const svg = fs.readFileSync(path.join(folder, file), 'utf8');
    expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
    expect(svg).toContain('npm run bench -- &lt;all>');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  }
  fs.rmSync(folder, { recursive: true });
});
