// Messages are handed to one library and stay queued; what they cost in memory.
'use strict';

const { performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');
const { LIBRARIES } = require('./libraries');
const { WORKLOADS } = require('./workloads');

// A library may do some of its work in later turns of the event loop, and on other threads.
const SETTLING = 300;

async function memoryNow() {
  await sleep(SETTLING);
  global.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed + external };
}

function queue(transporter, make, first, count) {
  for (let number = first; number < first + count; number++) {
    transporter.sendMail(make(number)).catch(() => {});
  }
}

process.once('message', async ({ library, workload, warmUp, messages, transport }) => {
  const transporter = LIBRARIES[library]().createTransport({ pool: true, ...transport });
  const make = WORKLOADS[workload].make();
  queue(transporter, make, 0, warmUp);
  const before = await memoryNow();
  const started = performance.now();
  queue(transporter, make, warmUp, messages);
  const handOver = ((performance.now() - started) * 1000) / messages;
  const after = await memoryNow();
  const grown = (name) => Math.max(1, (after[name] - before[name]) / messages);
  process.send({ rss: grown('rss'), heap: grown('heap'), handOver });
});
