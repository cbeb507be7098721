'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { ceiling } = require('./ceiling');
const { startSink } = require('./sinks');
const { WORKLOADS } = require('./workloads');

const LIBRARIES = ['nodemailer', 'postpool'];
const RUN_LIMIT = 15 * 60 * 1000;
const WARM_UP_SHARE = 0.1;
const WARM_UP_LEAST = 20;
const WARM_UP_MOST = 2000;
// A sink's count may arrive a little after its last reply.
const COUNT_PATIENCE = 100;
const COUNT_PAUSE = 10;
// Boundaries and message ids differ in length; the content does not.
const BYTES_TOLERANCE = 0.01;

/** What one library is asked to do in one case. */
function jobFor(one, sink, scale) {
  const workload = WORKLOADS[one.workload];
  const messages = Math.max(1, Math.round((one.messages ?? workload.messages) * scale));
  const warmUp = Math.min(WARM_UP_MOST, Math.max(WARM_UP_LEAST, Math.round(messages * WARM_UP_SHARE)));
  return {
    workload: one.workload,
    messages,
    warmUp,
    depth: workload.depth === Infinity ? null : workload.depth * one.connections,
    transport: { ...sink.transport, maxConnections: one.connections, ...one.transport },
  };
}

async function runLibrary(library, job) {
  const child = fork(path.join(__dirname, 'runner.js'), { timeout: RUN_LIMIT, serialization: 'advanced' });
  const exit = once(child, 'exit');
  child.send({ ...job, library });
  const answer = once(child, 'message').then(([figures]) => figures);
  const figures = await Promise.race([answer, exit.then(() => null)]);
  // Whatever still keeps it alive would disturb the next run.
  child.kill();
  const [code, signal] = await exit;
  if (!figures) throw new Error(`${library} ended with ${signal ?? code} before it was done`);
  return figures;
}

/** How many messages of a job a sink is to refuse, the first of them numbered `first`. */
function refusals(workload, first, count) {
  const share = WORKLOADS[workload].refusedShare ?? 0;
  return share === 0 ? 0 : Math.ceil((first + count) * share) - Math.ceil(first * share);
}

/** Fails when a library did not send what it was asked to send, or the sink did not take it. */
async function verify(library, job, figures, taken) {
  const expected = job.messages - refusals(job.workload, job.warmUp, job.messages);
  if (figures.sent !== expected) {
    throw new Error(`${library} sent ${figures.sent} of ${expected}: ${JSON.stringify(figures.errors)}`);
  }
  const all = expected + job.warmUp - refusals(job.workload, 0, job.warmUp);
  let count;
  for (let look = 0; look < COUNT_PATIENCE; look++) {
    count = await taken();
    if (count >= all) break;
    await sleep(COUNT_PAUSE);
  }
  if (count !== all) throw new Error(`${library} reported ${all} messages, the sink took ${count}`);
}

async function measure(library, job, sink) {
  const before = await sink.counters();
  const figures = await runLibrary(library, job);
  await verify(library, job, figures, async () => (await sink.counters()).messages - before.messages);
  const after = await sink.counters();
  const perMessage = (after.bytes - before.bytes) / (after.messages - before.messages);
  return { ...figures, ...(after.bytes !== undefined && { bytes: perMessage }) };
}

/** Both sides must have put the same amount on the wire. */
function compareBytes(rounds) {
  const [ours, theirs] = ['postpool', 'nodemailer'].map((library) => rounds[0][library].bytes);
  if (Math.abs(ours - theirs) > theirs * BYTES_TOLERANCE) {
    throw new Error(`not the same work: ${theirs} octets a message by nodemailer, ${ours} by postpool`);
  }
}

/**
 * Runs one case: in every round each library once, the first of one round being the last of the next.
 *
 * @returns {Promise<{ name: string, job: object, rounds: object[] }>}
 */
async function runCase(one, { rounds, scale, onProgress }) {
  const sink = await startSink(one.sink);
  try {
    const job = jobFor(one, sink, scale);
    const results = [];
    for (let round = 0; round < rounds; round++) {
      const result = {};
      for (const library of round % 2 === 0 ? LIBRARIES : [...LIBRARIES].reverse()) {
        onProgress(`${one.name}: round ${round + 1} of ${rounds}, ${library}`);
        result[library] = await measure(library, job, sink);
      }
      if (one.sink.kind === 'smtp-sink' && job.depth !== null && !one.transport) {
        const { port } = sink.transport;
        const { bytes } = result.nodemailer;
        const load = { port, connections: one.connections, messages: job.messages, bytes };
        result.ceiling = await ceiling(load);
      }
      results.push(result);
    }
    compareBytes(results);
    const { messages, warmUp, depth } = job;
    return { ...one, messages, warmUp, depth, rounds: results };
  } finally {
    await sink.stop();
  }
}

module.exports = { runCase };
