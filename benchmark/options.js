'use strict';

const { parseArgs } = require('node:util');

const HELP = `
npm run bench -- [options] [case …]

Sends the same messages through nodemailer and through postpool, in turns, and compares. A case may
be a pattern: 'rtt-*'. Without a case, the default ones run.

  --all              every case
  --list             names the cases and ends
  --rounds N         rounds of each case (default 5)
  --scale X          times as many messages (default 1)
  --json FILE        writes all figures there as well (default benchmark/results/latest.json)
  --charts FOLDER    draws the figures as SVG into a folder
  --check            ends with 1 when a ratio lies below its floor in benchmark/floors.json
  --help             this text
`;

const FLAGS = {
  all: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '5' },
  scale: { type: 'string', default: '1' },
  json: { type: 'string', default: 'benchmark/results/latest.json' },
  charts: { type: 'string' },
  check: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

/** A mistake in the arguments, shown without a stack. */
class UsageError extends Error {}

function positive(name, text) {
  const value = Number(text);
  if (!(value > 0) || value === Infinity) throw new UsageError(`--${name} takes a number above 0`);
  return value;
}

function readOptions(args) {
  let parsed;
  try {
    parsed = parseArgs({ args, options: FLAGS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error.message);
  }
  const { values, positionals } = parsed;
  return {
    ...values,
    cases: values.all ? ['*'] : positionals,
    rounds: Math.ceil(positive('rounds', values.rounds)),
    scale: positive('scale', values.scale),
  };
}

module.exports = { HELP, UsageError, readOptions };
