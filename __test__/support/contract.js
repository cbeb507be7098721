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
 * - `isolated`: the row runs in a process of its own, because it may take the process down
 * - `without`: `{ difference, fields }` error fields that are left out of the comparison, and why
 * - `difference`: a name from docs/differences.md; then `theirs` and `ours` say what each side must show
 */

const path = require('node:path');
const { fork } = require('node:child_process');
const { observe, libraries, standIn } = require('./compare');

function contract(area, rows) {
  const passed = new Set();
  const file = rows[0]?.isolated && path.join(__dirname, '../contract/rows', `${area}.js`);
  describe(`contract: ${area}`, () => {
    test.each(rows.map((row) => [row.name, row]))(
      '%s',
      async (name, row) => {
        const watch = row.isolated
          ? (library) => isolate(library, file, name)
          : (library) => observe(library, row);
        const [theirs, ours] = await Promise.all([watch(libraries.nodemailer), watch(libraries.postpool)]);
        judge(row, theirs, ours);
        passed.add(name);
      },
      30000,
    );
    afterAll(() => process.stdout.write(`contract: ${area}: ${passed.size} of ${rows.length} rows hold\n`));
  });
}

function judge(row, theirs, ours) {
  if (process.env.CONTRACT_SHOW) process.stdout.write(`${row.name} ${JSON.stringify(theirs, null, 1)}\n`);
  if (!row.difference) {
    expect(ours).toEqual(theirs);
    return;
  }
  row.theirs(theirs);
  if (!standIn) row.ours(ours);
}

/** Runs a row of a file in a new process; a crash is an observation too. */
function isolate(library, file, name) {
  return new Promise((resolve) => {
    const child = fork(__filename, [library, file, name], { silent: true });
    let seen;
    let complaint = '';
    child.stderr.on('data', (chunk) => (complaint += chunk));
    child.on('message', (message) => (seen = message));
    const timer = setTimeout(() => child.kill('SIGKILL'), 20000);
    child.on('exit', (code) => {
      clearTimeout(timer);
      const crash = complaint.match(/^\w*Error.*$/m)?.[0] ?? `exit ${code}`;
      resolve(seen ?? { outcome: `the process dies: ${crash}` });
    });
  });
}

async function child([library, file, name]) {
  const row = require(file).find((candidate) => candidate.name === name);
  process.send(await observe(library, row), () => process.exit(0));
}

if (require.main === module) child(process.argv.slice(2));

module.exports = { contract };
