'use strict';

const { monitorEventLoopDelay, performance } = require('node:perf_hooks');

// The monitor's timer measures how late it is, its own period included.
const PERIOD = 1;

/**
 * Feeds a transporter from its `idle` event, as nodemailer's documentation has it, until all
 * messages are handed over or `stop` is called, and waits for those handed over.
 */
function send(transporter, { total, make, onSettled }) {
  const delay = monitorEventLoopDelay({ resolution: PERIOD });
  const result = { latencies: [], ids: [], failures: [], handedOver: 0 };
  const started = performance.now();
  let stopped = false;
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));

  const settled = () => result.ids.length + result.failures.length;
  const finishIfDone = () => {
    const last = stopped ? result.handedOver : total;
    if (settled() < last || result.handedOver < last) return;
    delay.disable();
    result.seconds = (performance.now() - started) / 1000;
    result.eventLoopDelay = Math.max(0, delay.percentile(99) / 1e6 - PERIOD);
    finish(result);
  };
  const handOver = () => {
    const begun = performance.now();
    transporter
      .sendMail(make(result.handedOver++))
      .then(
        (info) => {
          result.latencies.push(performance.now() - begun);
          result.ids.push(info.messageId);
        },
        (error) => result.failures.push(error),
      )
      .then(() => {
        onSettled(settled(), settled() / ((performance.now() - started) / 1000));
        finishIfDone();
      });
  };
  const feed = () => {
    while (!stopped && result.handedOver < total && transporter.isIdle()) handOver();
  };

  delay.enable();
  transporter.on('idle', feed);
  feed();
  return {
    finished,
    stop() {
      stopped = true;
      finishIfDone();
    },
  };
}

module.exports = { send };
