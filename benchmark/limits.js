'use strict';

// Limits are of two kinds: `least`, how many times better than nodemailer a figure has to be, and
// `most`, how large a figure of postpool's may be. Both are given by case and figure.

/** What a case came to in the figure that a limit names. */
const VALUES = {
  least: (summary, figure) => summary.ratios[figure],
  most: (summary, figure) =>
    ({ growth: summary.growth?.postpool, extra: summary.extra })[figure] ?? summary.postpool[figure],
};

/**
 * Compares cases with limits.
 *
 * @returns {{ name: string, figure: string, kind: 'least' | 'most', limit: number, value?: number,
 *   held: boolean }[]} in the order of the cases; what was not measured does not hold
 */
function compareWith(limits, cases) {
  const rows = (kind, { name, summary }) =>
    Object.entries(limits[kind]?.[name] ?? {}).map(([figure, limit]) => {
      const value = VALUES[kind](summary, figure);
      return { name, figure, kind, limit, value, held: kind === 'least' ? value >= limit : value <= limit };
    });
  return cases.flatMap((one) => [...rows('least', one), ...rows('most', one)]);
}

const round = (value) => Number(value.toPrecision(3)).toLocaleString('en');

/** A row as a sentence. */
function describe({ name, figure, kind, limit, value }) {
  const shown = value === undefined ? 'not measured' : round(value);
  return `${name}: ${figure} is ${shown}, ${kind === 'least' ? 'at least' : 'at most'} ${round(limit)} wanted`;
}

/**
 * What a check has to complain about, as sentences.
 *
 * A case without a floor is a complaint too: a check that looks at nothing must not pass.
 */
function complaints(floors, cases) {
  const broken = compareWith(floors, cases).filter(({ held }) => !held);
  const unknown = cases.filter(({ name }) => !floors.least[name] && !floors.most[name]);
  return [
    ...broken.map(describe),
    ...unknown.map(({ name }) => `${name}: no floor in benchmark/floors.json`),
  ];
}

const FLOOR = 0.77;
// Elsewhere than on a loaded thread these are all noise, or follow from the others.
const WITHOUT_FLOOR = new Set(['busy', 'delay', 'memory', 'share']);

/** Floors somewhat below what was measured, the `most` limits as they were. */
function floorsFrom(cases, floors) {
  const floor = (value) => Number((value * FLOOR).toPrecision(2));
  const least = cases.map(({ name, summary }) => [
    name,
    Object.fromEntries(
      Object.entries(summary.ratios)
        .filter(([figure]) => !WITHOUT_FLOOR.has(figure))
        .map(([figure, value]) => [figure, floor(value)]),
    ),
  ]);
  return { least: { ...floors.least, ...Object.fromEntries(least) }, most: floors.most };
}

module.exports = { compareWith, complaints, describe, floorsFrom };
