'use strict';

const { CEILING } = require('./ceiling');
const { FIGURES } = require('./figures');
const { median, range } = require('./statistics');
const { WORKLOADS } = require('./workloads');

const quotient = (figure, theirs, ours) => (FIGURES[figure].more ? ours / theirs : theirs / ours);

/** For each figure that every round has of a contender: `reduce` of its values. */
function over(rounds, contender, reduce) {
  const names = Object.keys(FIGURES).filter((name) =>
    rounds.every((round) => round[contender]?.[name] !== undefined),
  );
  return Object.fromEntries(
    names.map((name) => [name, reduce(rounds.map((round) => round[contender][name]))]),
  );
}

/**
 * What the rounds of a case come to: the median of each figure by contender, the range of what the
 * tables begin with, and how many times better postpool's medians are.
 */
function summarise({ rounds }) {
  const contenders = Object.keys(rounds[0]).sort();
  const summary = Object.fromEntries(contenders.map((name) => [name, over(rounds, name, median)]));
  const ranges = Object.fromEntries(contenders.map((name) => [name, over(rounds, name, range)]));
  const { nodemailer, postpool } = summary;
  const compared = Object.keys(nodemailer).filter(
    (name) => name in postpool && FIGURES[name].more !== undefined,
  );
  const ratios = compared.map((name) => [name, quotient(name, nodemailer[name], postpool[name])]);
  const ceiling = summary[CEILING];
  return {
    ...summary,
    ranges,
    ratios: { ...Object.fromEntries(ratios), ...(ceiling && { share: postpool.rate / ceiling.rate }) },
  };
}

/** CPU time a recipient, in microseconds. */
function costOf({ workload, summary }, library) {
  return summary[library].cpu / (WORKLOADS[workload].recipients ?? 1);
}

/** What follows from a case and another one: how the cost has grown since a smaller case. */
function growthOf(one, cases) {
  const smaller = cases.find(({ name }) => name === one.grownFrom);
  if (!smaller) return {};
  const growth = (library) => costOf(one, library) / costOf(smaller, library);
  return { growth: { nodemailer: growth('nodemailer'), postpool: growth('postpool') } };
}

/** Milliseconds that loading postpool takes longer than loading nodemailer. */
function extraOf({ summary: { nodemailer, postpool } }) {
  return postpool.load === undefined ? {} : { extra: postpool.load - nodemailer.load };
}

/** The cases of a run with their summaries. */
function withSummaries(results) {
  const cases = results.map((result) => ({ ...result, summary: summarise(result) }));
  return cases.map((one) => ({
    ...one,
    summary: { ...one.summary, ...growthOf(one, cases), ...extraOf(one) },
  }));
}

module.exports = { withSummaries };
