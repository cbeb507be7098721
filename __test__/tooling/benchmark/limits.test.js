'use strict';

const path = require('node:path');
const { CASES } = require('../../../benchmark/cases');
const floors = require('../../../benchmark/floors.json');
const goals = require('../../../benchmark/goals.json');
const { compareWith, complaints, floorsFrom } = require('../../../benchmark/limits');
const { readRecord } = require('../../../benchmark/record');
const { withSummaries } = require('../../../benchmark/summary');
const { result } = require('./figures');

const recorded = readRecord(path.join(__dirname, '../../../docs/benchmarks/figures.json')).cases;

/** The same cases, with postpool's part of each round changed. */
function changed(cases, change) {
  return withSummaries(
    cases.map((one) => ({
      ...one,
      rounds: one.rounds.map((round) => ({ ...round, postpool: change(round.postpool) })),
    })),
  );
}

const allTimes = (factor) => (figures) =>
  Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [name, name === 'rate' ? value / factor : value * factor]),
  );

test('the recorded figures cover every case and keep to the floors', () => {
  expect(recorded.map(({ name }) => name)).toEqual(CASES.map(({ name }) => name));
  expect(complaints(floors, recorded)).toEqual([]);
});

test('every case has a floor, and no floor is for a case that there is not', () => {
  const limited = new Set([...Object.keys(floors.least), ...Object.keys(floors.most)]);
  expect([...limited].sort()).toEqual(CASES.map(({ name }) => name).sort());
});

test('figures twice as bad break every floor of every recorded case', () => {
  const broken = compareWith({ least: floors.least }, changed(recorded, allTimes(2)));
  expect(broken.length).toBeGreaterThan(CASES.length);
  expect(broken.filter(({ held }) => held)).toEqual([]);
});

test('one figure below its floor is one complaint', () => {
  const slower = changed(recorded, (figures) => figures);
  const small = slower.find(({ name }) => name === 'small');
  small.summary.ratios.cpu = floors.least.small.cpu - 0.1;
  expect(complaints(floors, slower)).toEqual([
    expect.stringMatching(/^small: cpu is .*, at least .* wanted$/),
  ]);
});

test('goals are for figures that are recorded', () => {
  const rows = compareWith(goals, recorded);
  const wanted = ['least', 'most'].flatMap((kind) => Object.values(goals[kind]).flatMap(Object.keys));
  expect(rows).toHaveLength(wanted.length);
  expect(rows.filter(({ value }) => value === undefined)).toEqual([]);
});

describe('limits', () => {
  const [made] = withSummaries([result('made')]);

  test.each([
    ['a ratio at its floor', { least: { made: { rate: 8 } } }, true],
    ['a ratio below its floor', { least: { made: { rate: 8.1 } } }, false],
    ['a figure at most as large as it may be', { most: { made: { delay: 1 } } }, true],
    ['a figure that is larger', { most: { made: { delay: 0.9 } } }, false],
    ['a figure that was not measured', { least: { made: { rss: 1 } } }, false],
    ['growth that was not measured', { most: { made: { growth: 1.3 } } }, false],
  ])('%s', (_what, limits, held) => expect(compareWith(limits, [made])).toMatchObject([{ held }]));

  test('growth and extra time are postpool’s', () => {
    const summary = { ...made.summary, growth: { nodemailer: 2, postpool: 1.2 }, extra: 11 };
    const limits = { most: { made: { growth: 1.3, extra: 10 } } };
    expect(compareWith(limits, [{ ...made, summary }]).map(({ value, held }) => [value, held])).toEqual([
      [1.2, true],
      [11, false],
    ]);
  });

  test('a case without floors does not pass', () => {
    expect(complaints({ least: {}, most: {} }, [made])).toEqual([expect.stringMatching(/^made: no floor/)]);
  });

  test('new floors lie below what was measured, and leave other cases alone', () => {
    const before = { least: { other: { rate: 2 } }, most: { other: { growth: 1 } } };
    const wanted = { most: { made: { cpu: 900, thread: 100 }, other: { growth: 1.3 } } };
    expect(floorsFrom([made], before, wanted)).toEqual({
      least: { other: { rate: 2 }, made: { rate: 6.2, cpu: 6.2, thread: 6.2 } },
      // The first goal is reached with 625 µs, the second one is missed with 312.
      most: { other: { growth: 1 }, made: { cpu: 900, thread: 410 } },
    });
  });
});
