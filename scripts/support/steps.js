'use strict';

const { styleText } = require('node:util');

const COLOURS = { PASS: 'green', FAIL: 'red', SKIP: 'yellow' };

function verdict(result) {
  const colour = process.stdout.isTTY && !process.env.NO_COLOR;
  const word = colour ? styleText(COLOURS[result.verdict], result.verdict) : result.verdict;
  const time = `${(result.milliseconds / 1000).toFixed(1)} s`.padStart(8);
  return `${word}  ${result.name.padEnd(24)} ${time}${result.note ? `   ${result.note}` : ''}`;
}

/** What one step came to. A step gives an exit code, or `{ skip: reason }`; it may throw. */
async function runStep(step, failed) {
  const broken = (step.needs ?? []).filter((name) => failed.has(name));
  if (broken.length > 0) return { verdict: 'FAIL', note: `needs ${broken.join(', ')}` };
  try {
    const outcome = await step.run();
    if (outcome?.skip) return { verdict: 'SKIP', note: outcome.skip };
    return outcome ? { verdict: 'FAIL', note: `exit code ${outcome}` } : { verdict: 'PASS' };
  } catch (error) {
    return { verdict: 'FAIL', note: error.message };
  }
}

/**
 * Runs every step, also after one has failed, so that one run shows all there is to mend.
 *
 * @param {{ name: string, needs?: string[], run: () => unknown }[]} steps
 * @returns {Promise<boolean>} whether none failed
 */
async function runSteps(steps) {
  const results = [];
  const failed = new Set();
  for (const step of steps) {
    console.log(`\n── ${step.name}`);
    const started = performance.now();
    const outcome = await runStep(step, failed);
    const result = { name: step.name, milliseconds: performance.now() - started, ...outcome };
    if (result.verdict === 'FAIL') failed.add(step.name);
    results.push(result);
    console.log(verdict(result));
  }
  console.log(`\n${results.map(verdict).join('\n')}`);
  return failed.size === 0;
}

module.exports = { runSteps };
