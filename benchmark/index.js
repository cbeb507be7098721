// npm run bench: the same messages through nodemailer and through postpool, in turns.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { buildSink } = require('../__test__/support/testkit');
const { ensureDebianPackages } = require('../scripts/support/debian');
const { CASES, selectCases, vary } = require('./cases');
const { drawCharts } = require('./charts');
const { runCase } = require('./compare');
const { complaints, floorsFrom } = require('./limits');
const { HELP, UsageError, readOptions } = require('./options');
const { Progress, duration } = require('./progress');
const { toMarkdown } = require('./markdown');
const { merge, readRecord, toRecord, writeRecord } = require('./record');
const { describeCase, goalTable, table } = require('./report');
const { withSummaries } = require('./summary');
const goals = require('./goals.json');

const FLOORS = path.join(__dirname, 'floors.json');
const COMMITTED = path.join(__dirname, '..', 'docs', 'benchmarks', 'figures.json');

function list() {
  for (const one of CASES) {
    console.log(`${one.quick ? '*' : ' '} ${one.name.padEnd(22)} ${describeCase(one)}`);
  }
}

/** What the cases send to is there. Without Postfix's sink its cases go to the test kit's. */
async function withSinks(cases) {
  const available = await withAvailable(cases);
  // Before the clock of the progress line starts.
  if (available.some(({ sink }) => sink?.kind === 'kit')) buildSink({ release: true });
  return available;
}

async function withAvailable(cases) {
  if (!cases.some(({ sink }) => sink?.kind === 'smtp-sink')) return cases;
  const reason = await ensureDebianPackages();
  if (!reason) return cases;
  console.log(`The test kit's sink takes the place of smtp-sink (${reason}).`);
  return cases.map((one) => (one.sink?.kind === 'smtp-sink' ? { ...one, sink: { kind: 'kit' } } : one));
}

function choose(options) {
  const chosen = selectCases(options.cases);
  if (chosen.length === 0)
    throw new UsageError(`no case is called ${options.cases.join(' or ')}; see --list`);
  return vary(chosen, options.axes);
}

async function runCases(cases, options) {
  const earlier = fs.existsSync(COMMITTED) ? readRecord(COMMITTED).cases : [];
  const progress = new Progress(cases, { ...options, earlier });
  const results = [];
  for (const [index, one] of cases.entries()) {
    const onTurn = (turn) => progress.turn(index, turn);
    results.push(await runCase(one, { ...options, onTurn }));
    progress.clear();
    console.log(`\n${table(withSummaries(results).at(-1))}`);
  }
  return results;
}

/** Measures, and writes down what came of it. */
async function measure(options, args) {
  const started = performance.now();
  const results = await runCases(await withSinks(choose(options)), options);
  const took = (performance.now() - started) / 1000;
  const record = toRecord(results, { command: ['npm run bench --', ...args].join(' '), took });
  const kept = options.add && fs.existsSync(options.json) ? readRecord(options.json) : null;
  const names = CASES.map(({ name }) => name);
  writeRecord(kept ? merge(kept, record, names) : record, options.json);
  console.log(`\nTook ${duration(took)}. All figures: ${options.json}`);
  return kept ? merge(kept, record, names) : record;
}

function readEarlier(file) {
  const record = readRecord(file);
  for (const one of record.cases) console.log(`\n${table(one)}`);
  return record;
}

function check({ cases }) {
  const found = complaints(JSON.parse(fs.readFileSync(FLOORS, 'utf8')), cases);
  console.log(found.length > 0 ? `\n${found.join('\n')}` : '\nNothing is beyond its limit.');
  process.exitCode = found.length > 0 ? 1 : 0;
}

function setFloors({ cases }) {
  const floors = floorsFrom(cases, JSON.parse(fs.readFileSync(FLOORS, 'utf8')), goals);
  fs.writeFileSync(FLOORS, `${JSON.stringify(floors, null, 2)}\n`);
}

/** Charts and tables to look at. */
async function publish(record, folder) {
  const charts = await drawCharts(record, folder);
  fs.writeFileSync(path.join(folder, 'figures.md'), toMarkdown(record, goals));
  console.log(`\nWritten to ${folder}: figures.md, ${charts.join(', ')}`);
}

async function main() {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  if (options.help) return console.log(HELP.trim());
  if (options.list) return list();
  const record = options.from ? readEarlier(options.from) : await measure(options, args);
  const wanted = goalTable(goals, record.cases);
  if (wanted.length > 0) console.log(`\nGoals:\n${wanted.join('\n')}`);
  if (options.charts) await publish(record, options.charts);
  if (options.setFloors) setFloors(record);
  if (options.check) check(record);
}

main().catch((error) => {
  console.error(error instanceof UsageError ? `${error.message}\n\n${HELP.trim()}` : error);
  process.exit(error instanceof UsageError ? 2 : 1);
});
