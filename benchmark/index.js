// npm run bench: the same messages through nodemailer and through postpool, in turns.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { ensureDebianPackages } = require('../scripts/support/debian');
const { CASES, selectCases } = require('./cases');
const { drawCharts } = require('./chart');
const { belowFloor } = require('./check');
const { runCase } = require('./compare');
const { describeLoad, measureLoad } = require('./load');
const { HELP, UsageError, readOptions } = require('./options');
const { describeSink, table, toRecord } = require('./report');

function list() {
  for (const one of CASES) {
    const mark = one.default ? '*' : ' ';
    console.log(`${mark} ${one.name.padEnd(22)} ${one.workload.padEnd(16)} ${describeSink(one.sink)}`);
  }
}

/** Without Postfix's sink its cases go to the test kit's, and the tables say so. */
async function withAvailableSinks(cases) {
  if (!cases.some(({ sink }) => sink.kind === 'smtp-sink')) return cases;
  const reason = await ensureDebianPackages();
  if (!reason) return cases;
  console.log(`The test kit's sink takes the place of smtp-sink (${reason}).`);
  return cases.map((one) => (one.sink.kind === 'smtp-sink' ? { ...one, sink: { kind: 'kit' } } : one));
}

const progress = (line) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${line}`);

async function runCases(cases, options) {
  const results = [];
  for (const one of cases) {
    const result = await runCase(one, { ...options, onProgress: progress });
    results.push(result);
    progress('');
    console.log(`\n${table(result)}`);
  }
  return results;
}

function save(record, file) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  console.log(`\nAll figures: ${file}`);
}

async function main() {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  if (options.help) return console.log(HELP.trim());
  if (options.list) return list();
  const chosen = selectCases(options.cases);
  if (chosen.length === 0)
    throw new UsageError(`no case is called ${options.cases.join(' or ')}; see --list`);
  const results = await runCases(await withAvailableSinks(chosen), options);
  const load = measureLoad(options.rounds);
  console.log(`\n${describeLoad(load)}`);
  const record = { ...toRecord(results, ['npm run bench --', ...args].join(' ')), load };
  save(record, options.json);
  if (options.charts) console.log(`Charts: ${drawCharts(record, options.charts).join(', ')}`);
  if (!options.check) return;
  const complaints = belowFloor(record);
  console.log(complaints.length > 0 ? `\n${complaints.join('\n')}` : '\nNo ratio is below its floor.');
  process.exitCode = complaints.length > 0 ? 1 : 0;
}

main().catch((error) => {
  console.error(error instanceof UsageError ? `${error.message}\n\n${HELP.trim()}` : error);
  process.exit(error instanceof UsageError ? 2 : 1);
});
