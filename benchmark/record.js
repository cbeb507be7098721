'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { withSummaries } = require('./summary');

const DIGITS = 5;

/** Where the figures come from. */
function describeMachine() {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    platform: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
  };
}

/** Everything measured, where and by which command, as a plain record; `took` is in seconds. */
function toRecord(results, { command, took }) {
  return {
    runs: [{ command, date: new Date().toISOString(), took: Math.round(took) }],
    machine: describeMachine(),
    nodemailer: require('nodemailer/package.json').version,
    postpool: require('../package.json').version,
    cases: withSummaries(results),
  };
}

/** A record with the cases of another one in place of its own: first those in `names`, in that order. */
function merge(older, newer, names) {
  const cases = new Map([...older.cases, ...newer.cases].map((one) => [one.name, one]));
  const order = new Set([...names, ...cases.keys()]);
  const ordered = [...order].filter((name) => cases.has(name)).map((name) => cases.get(name));
  return { ...newer, runs: [...older.runs, ...newer.runs], cases: withSummaries(ordered) };
}

/** The record in a file. Summaries follow from the rounds, so they are made again. */
function readRecord(file) {
  const record = JSON.parse(fs.readFileSync(file, 'utf8'));
  return { ...record, cases: withSummaries(record.cases) };
}

const shorten = (_key, value) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(DIGITS)) : value;

/** JSON with one line for each round, which is what people compare. */
function format({ cases, ...rest }) {
  const head = JSON.stringify(rest, shorten, 2).replace(/\n}$/, '');
  const line = (indent, value) => indent + JSON.stringify(value, shorten);
  const blocks = cases.map(({ rounds, summary, ...one }) => {
    const lines = rounds.map((round) => line('        ', round)).join(',\n');
    const facts = line('', one).slice(1, -1);
    return `    {\n      ${facts},\n      "summary": ${line('', summary)},\n      "rounds": [\n${lines}\n      ]\n    }`;
  });
  return `${head},\n  "cases": [\n${blocks.join(',\n')}\n  ]\n}\n`;
}

function writeRecord(record, file) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, format(record));
}

module.exports = { merge, readRecord, toRecord, writeRecord };
