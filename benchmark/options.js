'use strict';

const { parseArgs } = require('node:util');

const HELP = `
npm run bench -- [options] [case …]

Sends the same messages through nodemailer and through postpool, in turns, and compares. A case may
be a pattern: 'rtt-*'.

  --quick            a few cases that say the most (without a case or --all: these)
  --all              every case
  --list             names the cases and ends
  --rounds N         rounds of each case (default 5, of the quick ones 3)
  --scale X          times as many messages (default 1)
  --connections N    the cases with so many connections,
  --rtt MS           with such a round trip (the test kit's sink),
  --sink KIND        to another sink: kit, smtp-server, smtp-sink
  --json FILE        writes all figures there (default benchmark/results/latest.json)
  --add              keeps the other cases that FILE holds
  --from FILE        measures nothing, takes the figures of an earlier run
  --charts FOLDER    draws the figures as SVG, and as PNG where rsvg-convert is installed, and
                     writes them as tables
  --check            ends with 1 when a figure is beyond its limit in benchmark/floors.json
  --set-floors       writes limits somewhat below the figures into benchmark/floors.json
  --help             this text
`;

const FLAGS = {
  quick: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  scale: { type: 'string', default: '1' },
  connections: { type: 'string' },
  rtt: { type: 'string' },
  sink: { type: 'string' },
  json: { type: 'string', default: 'benchmark/results/latest.json' },
  add: { type: 'boolean', default: false },
  from: { type: 'string' },
  charts: { type: 'string' },
  check: { type: 'boolean', default: false },
  'set-floors': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};
const SINKS = ['kit', 'smtp-server', 'smtp-sink'];
const ROUNDS = 5;
const QUICK_ROUNDS = 3;

/** A mistake in the arguments, shown without a stack. */
class UsageError extends Error {}

function positive(name, text) {
  const value = Number(text);
  if (!(value > 0) || value === Infinity) throw new UsageError(`--${name} takes a number above 0`);
  return value;
}

/** What differs from the cases as they are listed; `undefined` where nothing does. */
function readAxes({ connections, rtt, sink }) {
  if (sink !== undefined && !SINKS.includes(sink))
    throw new UsageError(`--sink is one of ${SINKS.join(', ')}`);
  if (rtt !== undefined && sink !== undefined && sink !== 'kit') throw new UsageError('--rtt needs the kit');
  if (rtt !== undefined && !/^\d+$/.test(rtt)) throw new UsageError('--rtt takes whole milliseconds');
  return {
    connections: connections === undefined ? undefined : Math.ceil(positive('connections', connections)),
    rtt: rtt === undefined ? undefined : Number(rtt),
    sink,
  };
}

function parse(args) {
  try {
    return parseArgs({ args, options: FLAGS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function readOptions(args) {
  const { values, positionals } = parse(args);
  const ways = [values.quick, values.all, positionals.length > 0, values.from !== undefined];
  if (ways.filter(Boolean).length > 1) throw new UsageError('one of --quick, --all, --from or some cases');
  const quick = !values.all && positionals.length === 0;
  return {
    ...values,
    axes: readAxes(values),
    setFloors: values['set-floors'],
    cases: values.all ? ['*'] : positionals,
    rounds: Math.ceil(positive('rounds', values.rounds ?? (quick ? QUICK_ROUNDS : ROUNDS))),
    scale: positive('scale', values.scale),
  };
}

module.exports = { HELP, UsageError, readOptions };
