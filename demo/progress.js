'use strict';

const { SingleBar } = require('cli-progress');

const REDRAWS_PER_SECOND = 10;

/** A live bar on a terminal. */
function bar(total) {
  const format = '  {bar} {percentage}%  {value}/{total}  {rate} msg/s';
  const line = new SingleBar({
    format,
    fps: REDRAWS_PER_SECOND,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    // The demo decides itself what Ctrl-C means.
    gracefulExit: false,
  });
  line.start(total, 0, { rate: '–' });
  return { update: (done, rate) => line.update(done, { rate: Math.round(rate) }), stop: () => line.stop() };
}

/** A line for every tenth part of the way where there is no terminal. */
function lines(total) {
  let printed = 0;
  return {
    update(done, rate) {
      const tenth = Math.floor((done * 10) / total);
      if (tenth === printed) return;
      printed = tenth;
      console.log(`  ${done}/${total}  ${Math.round(rate)} msg/s`);
    },
    stop() {},
  };
}

module.exports = { progress: (total) => (process.stdout.isTTY ? bar(total) : lines(total)) };
