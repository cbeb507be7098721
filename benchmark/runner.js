// One library sends one workload, in a process of its own, so that its figures are its own.
'use strict';

const { monitorEventLoopDelay, performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');
const { WORKLOADS } = require('./workloads');

// The monitor's timer measures how late it is, its own period included.
const PERIOD = 1;
// It sees a delay only between two of its own ticks, so it gets some before and after the work.
const TICKS = 5 * PERIOD;
const LIBRARIES = { nodemailer: () => require('nodemailer'), postpool: () => require('..') };

/** Sends messages, `depth` of them at a time, and counts what came of them. */
function sendAll(transporter, make, { first, count, depth }) {
  const outcome = { sent: 0, failed: 0, bytes: 0, errors: new Map() };
  const end = first + count;
  let next = first;
  const one = async () => {
    try {
      const info = await transporter.sendMail(make(next++));
      outcome.sent++;
      outcome.bytes += info.messageSize ?? 0;
    } catch (error) {
      outcome.failed++;
      outcome.errors.set(error.message, (outcome.errors.get(error.message) ?? 0) + 1);
    }
  };
  const lane = async () => {
    while (next < end) await one();
  };
  return { finished: Promise.all(Array.from({ length: Math.min(depth, count) }, lane)), outcome };
}

/** Runs one measurement and gives its figures, per message where that makes sense. */
async function measure(transporter, make, job) {
  const delay = monitorEventLoopDelay({ resolution: PERIOD });
  delay.enable();
  await sleep(TICKS);
  const rss = process.memoryUsage.rss();
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  const started = performance.now();
  const { finished, outcome } = sendAll(transporter, make, job);
  const handedOver = performance.now() - started;
  await finished;
  const milliseconds = performance.now() - started;
  const used = process.cpuUsage(cpu);
  const busy = performance.eventLoopUtilization(loop).active;
  await sleep(TICKS);
  delay.disable();
  return {
    seconds: milliseconds / 1000,
    rate: (job.count / milliseconds) * 1000,
    cpu: (used.user + used.system) / job.count,
    busy: (busy * 1000) / job.count,
    delay: Math.max(0, delay.percentile(99) / 1e6 - PERIOD),
    handOver: (handedOver * 1000) / Math.min(job.depth, job.count),
    memory: Math.max(0, process.resourceUsage().maxRSS * 1024 - rss),
    sent: outcome.sent,
    failed: outcome.failed,
    bytes: outcome.bytes / outcome.sent,
    errors: [...outcome.errors],
  };
}

process.once('message', async (job) => {
  const depth = job.depth ?? Infinity;
  const transporter = LIBRARIES[job.library]().createTransport({ pool: true, ...job.transport });
  const make = WORKLOADS[job.workload].make();
  // Connections are open and the code is warm before the clock starts.
  await sendAll(transporter, make, { first: 0, count: job.warmUp, depth }).finished;
  const figures = await measure(transporter, make, { first: job.warmUp, count: job.messages, depth });
  transporter.close();
  process.send(figures, () => process.disconnect());
});
