// One library sends one workload, in a process of its own, so that its figures are its own.
'use strict';

const { monitorEventLoopDelay, performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');
const { LIBRARIES } = require('./libraries');
const { threadTime } = require('./usage');
const { WORKLOADS } = require('./workloads');

// The monitor's timer measures how late it is, its own period included.
const PERIOD = 1;
// It sees a delay only between two of its own ticks, so it gets some before and after the work.
const TICKS = 5 * PERIOD;
const REHEARSED_AT_ONCE = 100;

/** Sends the messages of a workload one after the other, and counts what came of them. */
class Sender {
  /**
   * @param {object} transporter
   * @param {(number: number) => object} make gives a message
   * @param {object} shape how many at a time: `depth`, each followed by another one; or `burst`, so
   *   many at once, and the next ones when all are through
   */
  constructor(transporter, make, { depth, burst }) {
    Object.assign(this, { transporter, make, depth: depth ?? Infinity, burst: burst ?? Infinity });
    this.next = 0;
    this.sent = 0;
    this.octets = 0;
    this.errors = new Map();
  }

  /** Sends so many; resolves to the milliseconds for which `sendMail` blocked. */
  async send(count) {
    let blocked = 0;
    for (let left = count; left > 0; left -= this.burst)
      blocked += await this.sendAtOnce(Math.min(left, this.burst));
    return blocked;
  }

  async sendAtOnce(count) {
    const end = this.next + count;
    const lane = async () => {
      while (this.next < end) await this.settle(this.transporter.sendMail(this.make(this.next++)));
    };
    const started = performance.now();
    const lanes = Array.from({ length: Math.min(this.depth, count) }, lane);
    const blocked = performance.now() - started;
    await Promise.all(lanes);
    return blocked;
  }

  async settle(promise) {
    try {
      const info = await promise;
      this.sent++;
      this.octets += info.messageSize ?? 0;
    } catch (error) {
      this.errors.set(error.message, (this.errors.get(error.message) ?? 0) + 1);
    }
  }
}

/** The figures of so many messages, each by the message. Times are in microseconds. */
async function measure(sender, count) {
  const rss = process.memoryUsage.rss();
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  const thread = threadTime();
  const started = performance.now();
  const blocked = await sender.send(count);
  const milliseconds = performance.now() - started;
  const used = process.cpuUsage(cpu);
  const busy = performance.eventLoopUtilization(loop).active * 1000;
  const onThread = thread === undefined ? busy : threadTime() - thread;
  return {
    rate: (count / milliseconds) * 1000,
    cpu: (used.user + used.system) / count,
    thread: onThread / count,
    busy: busy / count,
    ...(sender.burst !== Infinity && {
      handOver: (blocked * 1000) / count,
      memory: Math.max(0, process.resourceUsage().maxRSS * 1024 - rss),
    }),
  };
}

/**
 * How late timers are while messages are sent, in milliseconds: the 99th percentile.
 *
 * Some messages are sent for this alone, because the monitor costs 20 ms of CPU time a second.
 */
async function watchDelay(sender, count) {
  const delay = monitorEventLoopDelay({ resolution: PERIOD });
  delay.enable();
  await sleep(TICKS);
  await sender.send(count);
  await sleep(TICKS);
  delay.disable();
  return { delay: Math.max(0, delay.percentile(99) / 1e6 - PERIOD) };
}

/** Sends to a quick server first, so that the code is compiled also where few messages are measured. */
async function rehearse(job) {
  const { messages, transport } = job.rehearsal;
  const { transporter, sender } = prepare({ ...job, transport, burst: undefined, depth: REHEARSED_AT_ONCE });
  await sender.send(messages);
  transporter.close();
}

function prepare({ library, workload, transport, ...shape }) {
  const transporter = LIBRARIES[library]().createTransport({ pool: true, ...transport });
  return { transporter, sender: new Sender(transporter, WORKLOADS[workload].make(), shape) };
}

process.once('message', async (job) => {
  const { rehearsal, warmUp, messages, watched } = job;
  if (rehearsal) await rehearse(job);
  const { transporter, sender } = prepare(job);
  // Connections are open and the code is warm before the clock starts.
  await sender.send(warmUp);
  const figures = {
    ...(await measure(sender, messages)),
    ...(watched > 0 && (await watchDelay(sender, watched))),
  };
  transporter.close();
  const { sent, octets, errors } = sender;
  process.send({ figures, sent, size: octets / sent, errors: [...errors] }, () => process.disconnect());
});
