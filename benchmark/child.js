'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

const LIMIT = 15 * 60 * 1000;

/** Gives a program of this folder, in a new process, its job; resolves to what it answers. */
async function ask(program, job, execArgv = []) {
  const child = fork(path.join(__dirname, program), {
    execArgv,
    timeout: LIMIT,
    serialization: 'advanced',
  });
  const exit = once(child, 'exit');
  child.send(job);
  const answer = once(child, 'message').then(([figures]) => figures);
  const figures = await Promise.race([answer, exit.then(() => null)]);
  // Whatever still keeps it alive would disturb the next run.
  child.kill();
  const [code, signal] = await exit;
  if (!figures)
    throw new Error(`${program} for ${job.library} ended with ${signal ?? code} before it was done`);
  return figures;
}

module.exports = { ask };
