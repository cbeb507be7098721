'use strict';

const { setTimeout: sleep } = require('node:timers/promises');
const { findProgram } = require('../../scripts/support/debian');
const { CEILING, ceiling, hasCeiling } = require('../ceiling');
const { ask } = require('../child');
const { LIBRARIES } = require('../libraries');
const { startSink } = require('../sinks');
const { cpuTime } = require('../usage');
const { WORKLOADS } = require('../workloads');

// Code that every message runs through is compiled anew, and better, up to the first few thousands.
const WARM_UP_SHARE = 0.25;
// Where that was rehearsed, connections are all that has to be opened.
const REHEARSED_SHARE = 0.1;
const WARM_UP_LEAST = 20;
const WARM_UP_MOST = 5000;
const WATCHED_SHARE = 0.2;
// With fewer large messages the 99th percentile would be the moment of handing over the first ones.
const WATCHED_LEAST = 40;
const REHEARSAL = 2000;
// A sink's count may arrive a little after its last reply.
const COUNT_PATIENCE = 100;
const COUNT_PAUSE = 10;
// Boundaries and message ids differ in length, and RSET comes more or less often; the content does not.
const BYTES_TOLERANCE = 0.01;
const BYTES_SLACK = 16;

/** A sink to rehearse with, where something makes the case itself slow on purpose; or `null`. */
function quickSink({ sink: { rtt, nagle, ...quick }, transport }) {
  return rtt || nagle || transport ? quick : null;
}

/** What one library is asked to do in one case. */
function jobFor(one, { sink, quick }, scale) {
  const maxConnections = one.connections;
  const workload = WORKLOADS[one.workload];
  const messages = Math.max(1, Math.round((one.messages ?? workload.messages) * scale));
  const share = Math.round(messages * (quick ? REHEARSED_SHARE : WARM_UP_SHARE));
  const usual = Math.min(WARM_UP_MOST, Math.max(WARM_UP_LEAST, share));
  const burst = one.burst ?? workload.burst;
  const watched = Math.max(WATCHED_LEAST, Math.ceil(messages * WATCHED_SHARE));
  const fixed = one.warmUp ?? workload.warmUp;
  return {
    workload: one.workload,
    messages,
    warmUp: fixed ? Math.max(1, Math.round(fixed * scale)) : usual,
    watched: one.sink.rtt === undefined && !burst ? Math.min(messages, watched) : 0,
    ...(burst ? { burst: Math.min(burst, messages) } : { depth: workload.depth * one.connections }),
    transport: { ...sink.transport, maxConnections, ...one.transport },
    ...(quick && { rehearsal: { transport: { ...quick.transport, maxConnections }, messages: REHEARSAL } }),
  };
}

/** How many of the messages before number `end` a sink is to take. */
function acceptable(workload, end) {
  return end - Math.ceil(end * (WORKLOADS[workload].refusedShare ?? 0));
}

/** What a sink has counted once it has got so many messages, or will get no more. */
async function countersAt(sink, messages) {
  let counters = await sink.counters();
  for (let look = 0; look < COUNT_PATIENCE && counters.messages < messages; look++) {
    await sleep(COUNT_PAUSE);
    counters = await sink.counters();
  }
  return counters;
}

/** Fails when a library did not send what it was asked to send, or the sink did not take it. */
function verify(library, { workload, warmUp, messages, watched }, { sent, errors }, taken) {
  const expected = acceptable(workload, warmUp + messages + watched);
  const recipients = expected * (WORKLOADS[workload].recipients ?? 1);
  const differ = (wanted, got) => got !== undefined && got !== wanted;
  if (sent !== expected) throw new Error(`${library} sent ${sent} of ${expected}: ${JSON.stringify(errors)}`);
  if (taken.messages !== expected) {
    throw new Error(`${library} sent ${expected} messages, the sink took ${taken.messages}`);
  }
  if (differ(recipients, taken.recipients)) {
    throw new Error(`${library} reached ${recipients} recipients, the sink has ${taken.recipients}`);
  }
}

/** What has changed between two snapshots, in the counters that there are. */
function difference(before, after) {
  const names = Object.keys(before).filter((name) => before[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]]));
}

async function measure(library, job, sink) {
  const all = acceptable(job.workload, job.warmUp + job.messages + job.watched);
  const before = { ...(await sink.counters()), cpu: cpuTime(sink.pid) };
  const answer = await ask('runner.js', { ...job, library });
  const after = { ...(await countersAt(sink, before.messages + all)), cpu: cpuTime(sink.pid) };
  const taken = difference(before, after);
  verify(library, job, answer, taken);
  const { figures, size } = answer;
  return {
    ...figures,
    size,
    ...(taken.bytes && { bytes: taken.bytes / all }),
    // The share of a core that the sink needed: near 1 it is the sink that was measured.
    ...(taken.cpu && { sink: (taken.cpu / all / 1e6) * figures.rate }),
  };
}

/** Both sides must have put the same amount on the wire, in every round. */
function compareBytes(rounds) {
  for (const { nodemailer, postpool } of rounds) {
    const [theirs, ours] = [nodemailer.bytes ?? nodemailer.size, postpool.bytes ?? postpool.size];
    if (Math.abs(ours - theirs) > theirs * BYTES_TOLERANCE + BYTES_SLACK) {
      throw new Error(`not the same work: ${theirs} octets a message by nodemailer, ${ours} by postpool`);
    }
  }
}

/** Messages sent to a sink, by both libraries and, where that says something, by `smtp-source`. */
async function traffic(one, scale) {
  const workload = WORKLOADS[one.workload];
  const sink = await startSink(one.sink);
  const quicker = quickSink(one);
  const quick = quicker && (await startSink(quicker));
  const job = jobFor(one, { sink, quick }, scale);
  const { warmUp, messages, watched, depth, burst } = job;
  const withCeiling = hasCeiling({ ...workload, ...one }) && findProgram(CEILING);
  let size;
  return {
    contenders: [...Object.keys(LIBRARIES), ...(withCeiling ? [CEILING] : [])],
    facts: { warmUp, messages, watched, depth, burst },
    async run(contender) {
      if (contender === CEILING) {
        const { port } = sink.transport;
        const reconnect = one.transport?.maxMessages === 1;
        return ceiling({ port, connections: one.connections, messages, size, reconnect });
      }
      const figures = await measure(contender, job, sink);
      size = figures.size;
      return figures;
    },
    verify: compareBytes,
    async stop() {
      await sink.stop();
      await quick?.stop();
    },
  };
}

module.exports = { acceptable, compareBytes, traffic, verify };
