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
// Elsewhere than on a quiet machine these are noise, or they follow from the others.
const WITHOUT_FLOOR = new Set(['busy', 'delay', 'memory', 'share']);

const twoDigits = (value) => Number(value.toPrecision(2));

/** An object's values by another rule, without those that it gives nothing for. */
function mapValues(object, rule) {
  const entries = Object.entries(object).map(([key, value]) => [key, rule(key, value)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/**
 * Limits somewhat looser than what was measured: `least` for every ratio that is no noise, `most`
 * where there is a goal, which is the limit itself once it is reached. Other cases keep theirs.
 */
function floorsFrom(cases, floors, goals) {
  const least = ({ summary }) =>
    mapValues(summary.ratios, (figure, value) =>
      WITHOUT_FLOOR.has(figure) ? undefined : twoDigits(value * FLOOR),
    );
  const most = ({ name, summary }) =>
    mapValues(goals.most[name] ?? {}, (figure, goal) => {
      const value = VALUES.most(summary, figure);
      return value > goal ? twoDigits(value / FLOOR) : goal;
    });
  const byName = (kind, rule) => {
    const made = Object.fromEntries(cases.map((one) => [one.name, rule(one)]));
    const others = mapValues(floors[kind], (name, limits) => (made[name] ? undefined : limits));
    const some = mapValues(made, (_name, limits) => (Object.keys(limits).length > 0 ? limits : undefined));
    return { ...some, ...others };
  };
  return { least: byName('least', least), most: byName('most', most) };
}

module.exports = { compareWith, complaints, describe, floorsFrom };
