'use strict';

const { runSteps } = require('../../scripts/support/steps');

let printed;
beforeEach(() => {
  printed = [];
  jest.spyOn(console, 'log').mockImplementation((line) => printed.push(line));
});
afterEach(() => jest.restoreAllMocks());

const verdicts = () => printed.at(-1).trim().split('\n');

test('all steps run after one has failed, and the result says so', async () => {
  const ran = [];
  const step = (name, outcome) => ({ name, run: () => (ran.push(name), outcome) });
  expect(await runSteps([step('one', 0), step('two', 3), step('three')])).toBe(false);
  expect(ran).toEqual(['one', 'two', 'three']);
  expect(verdicts()).toEqual([
    expect.stringMatching(/^PASS {2}one/),
    expect.stringMatching(/^FAIL {2}two .*exit code 3$/),
    expect.stringMatching(/^PASS {2}three/),
  ]);
});

test('a step is not run when one that it needs has failed', async () => {
  const run = jest.fn();
  const broken = { name: 'build', run: () => Promise.reject(new Error('no compiler')) };
  expect(await runSteps([broken, { name: 'tests', needs: ['build'], run }])).toBe(false);
  expect(run).not.toHaveBeenCalled();
  expect(verdicts()[0]).toMatch(/no compiler$/);
  expect(verdicts()[1]).toMatch(/^FAIL {2}tests .*needs build$/);
});

test('a step that is left out says why and fails nothing', async () => {
  expect(await runSteps([{ name: 'debian', run: async () => ({ skip: 'no apt-get' }) }])).toBe(true);
  expect(verdicts()[0]).toMatch(/^SKIP {2}debian .*no apt-get$/);
});
