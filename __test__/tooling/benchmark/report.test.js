'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { CASES, selectCases, vary } = require('../../../benchmark/cases');
const { UsageError, readOptions } = require('../../../benchmark/options');
const { toMarkdown } = require('../../../benchmark/markdown');
const { Progress, duration } = require('../../../benchmark/progress');
const { merge, readRecord, toRecord, writeRecord } = require('../../../benchmark/record');
const { describeCase, goalTable, table } = require('../../../benchmark/report');
const { median, range } = require('../../../benchmark/statistics');
const { withSummaries } = require('../../../benchmark/summary');
const { WORKLOADS } = require('../../../benchmark/workloads');
const { costing, result } = require('./figures');

const names = (cases) => cases.map(({ name }) => name);

test.each([
  [[3, 1, 2], 2],
  [[4, 1, 2, 3], 2.5],
  [[7], 7],
])('the median of %j is %d', (values, expected) => expect(median(values)).toBe(expected));

test('the range is the lowest and the highest value', () => expect(range([3, 1, 2])).toEqual([1, 3]));

describe('cases', () => {
  test('names are unique, and whatever a case names exists', () => {
    expect(new Set(names(CASES)).size).toBe(CASES.length);
    for (const { workload = 'small' } of CASES) expect(Object.keys(WORKLOADS)).toContain(workload);
    for (const { grownFrom = 'small' } of CASES) expect(names(CASES)).toContain(grownFrom);
  });

  test('they are chosen by name or pattern, the quick ones by none', () => {
    const chosen = (...patterns) => names(selectCases(patterns));
    expect(chosen()).toEqual(names(CASES.filter(({ quick }) => quick)));
    expect(chosen()).toContain('small');
    expect(chosen('tls', 'small')).toEqual(['small', 'tls']);
    expect(chosen('rtt-50-*')).toEqual(['rtt-50-plain', 'rtt-50-pipelining', 'rtt-50-chunking']);
    expect(chosen('sma.l')).toEqual([]);
    expect(chosen('*')).toHaveLength(CASES.length);
  });

  test.each([
    [{ connections: 20 }, { name: 'small@20c', sink: { kind: 'smtp-sink' }, connections: 20 }],
    [{ rtt: 50 }, { name: 'small@kit@50ms', sink: { kind: 'kit', rtt: 50 }, connections: 5 }],
    [{ sink: 'smtp-server' }, { name: 'small@smtp-server', sink: { kind: 'smtp-server' }, connections: 5 }],
  ])('along other axes %j', (axes, expected) => {
    expect(vary(selectCases(['small', 'load']), axes)).toEqual([expect.objectContaining(expected)]);
  });

  test('what the test kit offers stays along other axes', () => {
    const [tls] = vary(selectCases(['tls']), { connections: 1, rtt: 20 });
    expect(tls).toMatchObject({ name: 'tls@1c@20ms', sink: { kind: 'kit', tls: true, rtt: 20 } });
  });

  test('without axes they are what they were', () => {
    expect(vary(CASES, { connections: undefined, rtt: undefined, sink: undefined })).toBe(CASES);
  });

  test.each([
    [result('x'), '10 × small to smtp-sink, 5 connections'],
    [result('x', { sink: { kind: 'kit', pipelining: false, rtt: 20 } }), /kit, no pipelining, rtt 20/],
    [result('x', { connections: 1 }), /1 connection$/],
    [{ measure: 'memory', workload: 'small', messages: 20000 }, /^20,000 × small queued/],
    [{ measure: 'load' }, /loading/],
  ])('%# says what it does', (one, expected) => expect(describeCase(one)).toMatch(expected));
});

describe('arguments', () => {
  test.each([
    [['--rounds', '0']],
    [['--scale', 'x']],
    [['--what']],
    [['--all', 'small']],
    [['--quick', '--from', 'x']],
    [['--sink', 'mailhog']],
    [['--rtt', '1.5']],
    [['--rtt', '5', '--sink', 'smtp-server']],
    [['--connections', '0']],
  ])('%j is refused', (args) => expect(() => readOptions(args)).toThrow(UsageError));

  test.each([
    [[], 3],
    [['--quick'], 3],
    [['small'], 5],
    [['--all'], 5],
    [['--all', '--rounds', '7'], 7],
  ])('%j means %d rounds', (args, rounds) => expect(readOptions(args)).toMatchObject({ rounds }));
});

describe('summaries', () => {
  test('a ratio above 1 means that postpool is better, whichever way the figure points', () => {
    const [{ summary }] = withSummaries([result('small')]);
    expect([summary.nodemailer.rate, summary.postpool.rate, summary['smtp-source'].rate]).toEqual([
      200, 1600, 3200,
    ]);
    expect(summary.ratios).toMatchObject({ rate: 8, delay: 1, share: 0.5 });
    expect(summary.ratios.cpu).toBeCloseTo(8);
    expect(summary.ranges.postpool.rate).toEqual([800, 2400]);
  });

  test('a figure that a round lacks is left out', () => {
    const one = result('small');
    delete one.rounds[1].postpool.delay;
    expect(withSummaries([one])[0].summary.ratios).not.toHaveProperty('delay');
  });

  test('growth compares with the smaller case, by recipient where there are several', () => {
    const grown = (more) =>
      costing({ few: { cpu: 10, ...more.few }, many: { cpu: 12, grownFrom: 'few', ...more.many } });
    const [few, many] = grown({});
    expect(few.summary.growth).toBeUndefined();
    expect(many.summary.growth.postpool).toBeCloseTo(1.2);
    expect(many.summary.growth.nodemailer).toBe(1);
    const recipients = { few: { workload: 'recipients-10' }, many: { workload: 'recipients-1000' } };
    expect(grown(recipients)[1].summary.growth.postpool).toBeCloseTo(0.012);
  });

  test('a case whose smaller one was not run has no growth', () => {
    expect(costing({ many: { cpu: 1, grownFrom: 'few' } })[0].summary.growth).toBeUndefined();
  });
});

describe('records', () => {
  const record = (cases, command = 'npm run bench') => toRecord(cases, { command, took: 1.2 });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-record-'));
  afterAll(() => fs.rmSync(folder, { recursive: true }));

  test('what is written is read again, with a line for each round', () => {
    const file = path.join(folder, 'new', 'figures.json');
    const written = record([result('small'), result('tls')]);
    writeRecord(written, file);
    const text = fs.readFileSync(file, 'utf8');
    const again = readRecord(file);
    expect(again.cases[0].summary.ratios.cpu).toBeCloseTo(written.cases[0].summary.ratios.cpu, 3);
    writeRecord(again, file);
    expect(fs.readFileSync(file, 'utf8')).toBe(text);
    const lines = text.split('\n');
    expect(lines.filter((line) => line.trim().startsWith('{"nodemailer"'))).toHaveLength(6);
  });

  test('a later run takes the place of the cases it has measured', () => {
    const merged = merge(
      record([result('tls'), result('small')], 'first'),
      record([result('small', { times: 4 }), result('small@20c'), result('newsletter')], 'second'),
      names(CASES),
    );
    expect(merged.runs.map(({ command }) => command)).toEqual(['first', 'second']);
    expect(names(merged.cases)).toEqual(['small', 'newsletter', 'tls', 'small@20c']);
    expect(merged.cases[0].summary.ratios.rate).toBe(4);
  });
});

describe('tables', () => {
  test('a case shows medians, spread, ratios and the share of the ceiling', () => {
    const text = table(withSummaries([result('small')])[0]);
    expect(text).toMatch(/^small: 10 × small to smtp-sink, 5 connections; medians of 3 rounds\n/);
    expect(text).toMatch(/nodemailer +200 ±50 % +5,000 µs/);
    expect(text).toMatch(/postpool +1,600 ±50 % +625 µs/);
    expect(text).toMatch(/better +8\.0×/);
    expect(text).toMatch(/reaches 50 % of smtp-source/);
  });

  test('growth is told in words', () => {
    const [, many] = costing({ few: { cpu: 10 }, many: { cpu: 12, grownFrom: 'few' } });
    expect(table(many)).toMatch(
      /a message costs 1\.20 times the CPU time it costs in few \(nodemailer 1\.00\)/,
    );
  });

  test('goals are reached, missed or not measured', () => {
    const goals = { least: { small: { rate: 8, cpu: 9 } }, most: { small: { addon: 6e6 } } };
    const lines = goalTable(goals, withSummaries([result('small')]));
    expect(lines).toEqual([
      expect.stringMatching(/small +rate +8 +≥ 8 +reached/),
      expect.stringMatching(/small +cpu +8 +≥ 9 +missed/),
      expect.stringMatching(/small +addon +≤ 6,000,000 +not measured/),
    ]);
  });
});

describe('as Markdown', () => {
  const goals = { least: { small: { rate: 9 } }, most: {} };
  const loading = {
    ...result('load', { measure: 'load' }),
    rounds: [{ nodemailer: { load: 40 }, postpool: { load: 52, addon: 5 * 1024 * 1024 } }],
  };
  const queued = {
    ...result('queued-20000', { measure: 'memory', messages: 20000 }),
    rounds: [{ nodemailer: { rss: 4000 }, postpool: { rss: 1000 } }],
  };
  const markdown = (cases) => toMarkdown(toRecord(cases, { command: 'npm run bench -- x', took: 90 }), goals);

  test('every case is in the tables of its kind', () => {
    const text = markdown([result('small'), queued, loading]);
    expect(text).toContain('```sh\nnpm run bench -- x\n```');
    expect(text).toContain('2 min in all');
    expect(text).toContain('| `small` | rate | ≥ 9 | 8 | **missed** |');
    expect(text).toMatch(
      /\| `small` \| 200 \(100 – 300\) \| 1,600 \(800 – 2,400\) \| 8\.0× \| 3,200 \| 50 % \|/,
    );
    expect(text).toContain('| `queued-20000` | 4,000 B | 1,000 B | 4.0× |');
    expect(text).toContain('12.0 ms more; the addon has 5.0 MB');
    expect(text).not.toMatch(/NaN|undefined/);
  });

  test('what was not measured has no section', () => {
    expect(markdown([result('tls')])).not.toMatch(/## (Goals|Growth|Memory|Loading)/);
  });
});

describe('progress', () => {
  const watch = (isTTY, earlier) => {
    const written = [];
    const clock = { now: 0 };
    const progress = new Progress([{ name: 'a' }, { name: 'b' }], {
      rounds: 2,
      scale: 1,
      earlier,
      stream: { isTTY, write: (text) => written.push(text) },
      now: () => clock.now,
    });
    return { clock, progress, written };
  };
  const timed = [
    { name: 'a', took: { nodemailer: 8, postpool: 2 } },
    { name: 'b', took: { nodemailer: 20, postpool: 10 } },
  ];

  test.each([
    [59.6, '60 s'],
    [90, '2 min'],
    [3599, '1 h 0 min'],
    [7500, '2 h 5 min'],
  ])('%d seconds are %s', (seconds, expected) => expect(duration(seconds)).toBe(expected));

  test('the rest takes as long as before, times how much slower this run is', () => {
    const { clock, progress } = watch(true, timed);
    expect(progress.left()).toBe(80);
    progress.turn(0, { round: 0, contender: 'nodemailer', first: true });
    clock.now = 16_000;
    progress.turn(0, { round: 0, contender: 'postpool' });
    expect(progress.left()).toBe(2 * 72);
    clock.now = 40_000;
    progress.turn(1, { round: 0, contender: 'nodemailer', first: true });
    expect(progress.left()).toBe(2 * 60);
  });

  test('what nobody has timed takes as long as most do', () => {
    const { progress } = watch(true, timed.slice(0, 1));
    expect(progress.left()).toBe(20 + 16);
  });

  test('a terminal has one line, a file one for each case', () => {
    const turns = [
      { round: 0, contender: 'nodemailer', first: true },
      { round: 0, contender: 'postpool', first: false },
    ];
    const terminal = watch(true, timed);
    for (const turn of turns) terminal.progress.turn(0, turn);
    expect(terminal.written).toEqual([
      '\r\x1b[K[1/2] a: round 1 of 2, nodemailer; 1 min left',
      '\r\x1b[K[1/2] a: round 1 of 2, postpool; 1 min left',
    ]);
    const file = watch(false, timed);
    for (const turn of turns) file.progress.turn(0, turn);
    expect(file.written).toEqual(['[1/2] a; 1 min left\n']);
  });
});
