'use strict';

/** Test runners, which load the addon again and again in threads and processes of their own. */

const path = require('node:path');
const { HOME, PACKAGES, THIS, inEach, run, withServer } = require('./runtimes');

const FIXTURE = path.join(__dirname, 'runners');
const JEST = path.join(HOME, 'node_modules/jest/bin/jest.js');
const VITEST = path.join(PACKAGES, 'vitest/vitest.mjs');

const here = withServer();

/** What mail.case.js sends, twice, and timers.case.js. */
const SENT = 2 * 21 + 7;

/** Runs a runner on a fixture and counts what arrives; its report is shown when it fails. */
async function runner(script, args, messages, cwd = FIXTURE) {
  const settings = { cwd, env: { PORT: here.server.port, JEST_WORKER_ID: '' }, deadline: 50000 };
  const { code, out, err } = await run(THIS, [script, ...args], settings);
  expect(code === 0 || `${out}${err}`).toBe(true);
  expect(here.server.messages).toHaveLength(messages);
}

test.each([
  ['in one process', ['--runInBand']],
  ['in workers', ['--maxWorkers', '2']],
  ['in worker threads', ['--maxWorkers', '2', '--workerThreads']],
])(
  'Jest %s',
  async (_, args) => {
    await runner(JEST, ['--config', path.join(FIXTURE, 'jest.config.js'), '--no-cache', ...args], SENT);
  },
  60000,
);

for (const pool of ['threads', 'forks']) {
  inEach([{ ...THIS, needs: VITEST }], `Vitest in ${pool}`, () =>
    runner(VITEST, ['run', '--root', FIXTURE, '--pool', pool], SENT + 1),
  );
}

test('Jest with mocks in the place of modules and methods', async () => {
  await runner(JEST, ['--no-cache', '--runInBand'], 4, path.join(FIXTURE, 'mocks'));
}, 60000);
