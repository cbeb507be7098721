'use strict';

/**
 * Turns rows of the contract into Jest tests: a row runs on nodemailer and on postpool, and what a
 * user and the server see must be the same, or differ in the way the row says.
 *
 * A row is `{ name, options, message, server, run, … }`:
 * - `options`: merged over `{ pool, host, port }`, or a function of `(ctx, base)`; `defaults`: message defaults
 * - `message`: a function that makes changes to the standard message, which is sent once, unless `run(ctx, transporter)` does something else
 * - `server`: a script for `startServer`, or false for none
 * - `events`: names of events to note on the timeline
 * - `wire`: `'messages'` compares only what was delivered, `false` nothing of the wire
 * - `bare`: no transporter is made before `run`
 * - `isolated`: the row runs in another process, because it may take the process down
 * - `without`: `{ difference, fields }` error fields that are left out of the comparison, and why
 * - `difference`: a name from docs/differences.md; then `theirs` and `ours` say what each side must show
 */

const path = require('node:path');
const { fork } = require('node:child_process');
const { observe, libraries, standIn } = require('./compare');

/**
 * @param {string} area what the rows are about
 * @param {object[]} rows
 * @param {object} [where]
 * @param {string} [where.file] the file that exports the rows, for isolated ones
 * @param {{ nodemailer: string, postpool: string }} [where.pair] main files of the two libraries
 */
function contract(area, rows, { file = fileOf(area), pair = libraries } = {}) {
  const passed = new Set();
  const apart = isolate(file, rows);
  describe(`contract: ${area}`, () => {
    test.each(rows.map((row) => [row.name, row]))(
      '%s',
      async (name, row) => {
        const watch = row.isolated ? (library) => apart(library, name) : (library) => observe(library, row);
        const [theirs, ours] = await Promise.all([watch(pair.nodemailer), watch(pair.postpool)]);
        judge(row, theirs, ours);
        passed.add(name);
      },
      120000,
    );
    afterAll(() => process.stdout.write(`contract: ${area}: ${passed.size} of ${rows.length} rows hold\n`));
  });
}

const fileOf = (area) => path.join(__dirname, '../contract/rows', `${area}.js`);

function judge(row, theirs, ours) {
  if (process.env.CONTRACT_SHOW) process.stdout.write(`${row.name} ${JSON.stringify(theirs, null, 1)}\n`);
  if (!row.difference) {
    expect(ours).toEqual(theirs);
    return;
  }
  row.theirs(theirs);
  if (!standIn) row.ours(ours);
}

/** Runs the isolated rows of a file, once for each library; gives what was seen of a row. */
function isolate(file, rows) {
  const names = rows.filter((row) => row.isolated).map(({ name }) => name);
  const runs = new Map();
  return async (library, name) => {
    if (!runs.has(library)) runs.set(library, inProcesses(library, file, names));
    return (await runs.get(library)).get(name);
  };
}

/** A row after the other in one process, and a new process for the rest when that one dies. */
async function inProcesses(library, file, names) {
  const seen = new Map();
  while (seen.size < names.length) {
    const complaint = await inProcess(library, file, names.slice(seen.size), seen);
    if (seen.size < names.length) seen.set(names[seen.size], { outcome: `the process dies: ${complaint}` });
  }
  return seen;
}

function inProcess(library, file, names, seen) {
  return new Promise((resolve) => {
    const child = fork(__filename, [library, file, ...names], { silent: true });
    let complaint = '';
    child.stdout.resume();
    child.stderr.on('data', (chunk) => (complaint += chunk));
    child.on('message', ([name, observation]) => seen.set(name, observation));
    child.on('close', (code) => resolve(complaint.match(/^\w*Error.*$/m)?.[0] ?? `exit ${code}`));
  });
}

async function child([library, file, ...names]) {
  const rows = new Map(require(file).map((row) => [row.name, row]));
  for (const name of names) {
    const seen = await observe(library, rows.get(name));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => process.send([name, seen], resolve));
  }
  process.exit();
}

if (require.main === module) child(process.argv.slice(2));

module.exports = { contract };
