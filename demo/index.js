// npm run demo: newsletters through the pool, and whether each one arrived exactly once.
'use strict';

const { createTransport } = require('..');
const { startServer } = require('./embedded');
const { newsletter } = require('./newsletter');
const { HELP, UsageError, readOptions } = require('./options');
const { progress } = require('./progress');
const { send } = require('./send');
const { compare, summary } = require('./summary');

const INTERRUPTED = 130;

/** The first Ctrl-C stops handing over, the second one gives up what is in flight. */
function listenForInterrupt(transporter, sending) {
  const state = { interrupted: false };
  const onInterrupt = () => {
    if (state.interrupted) return transporter.close({ force: true });
    state.interrupted = true;
    console.log('\nStopping: the messages in flight are finished (Ctrl-C again gives them up) …');
    sending.stop();
  };
  process.on('SIGINT', onInterrupt);
  return state;
}

function showFailures(failures) {
  if (failures.length === 0) return;
  const kinds = new Map();
  for (const error of failures) {
    const kind = `${error.code}: ${error.message}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  console.error(`\nFailed:\n${[...kinds].map(([kind, times]) => `  ${times} × ${kind}`).join('\n')}`);
}

/** Prints what came of it. The exit code says whether every message arrived exactly once. */
async function conclude(result, server, { wanted, interrupted }) {
  const report = await server?.report();
  console.log(`\n${summary(result, report)}`);
  showFailures(result.failures);
  const problems = report ? compare(result.ids, report.messages) : [];
  for (const problem of problems) console.error(`WRONG: ${problem}`);
  const complete = result.ids.length === (interrupted ? result.handedOver : wanted) && problems.length === 0;
  if (interrupted) console.log(`\nInterrupted after ${result.ids.length} of ${wanted} messages.`);
  if (complete && report) console.log(`\nEvery message sent arrived exactly once.`);
  if (!complete) return 1;
  return interrupted ? INTERRUPTED : 0;
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(HELP.trim());
  const server = options.server ? null : await startServer();
  const target = options.server ?? server.options;
  const transporter = createTransport({ pool: true, maxConnections: options.connections, ...target });
  console.log(`${options.messages} newsletters to ${target.host}:${target.port} …`);
  const bar = progress(options.messages);
  const sending = send(transporter, {
    total: options.messages,
    make: (number) => newsletter(number, options),
    onSettled: bar.update,
  });
  const state = listenForInterrupt(transporter, sending);
  const result = await sending.finished;
  bar.stop();
  transporter.close();
  const code = await conclude(result, server, { wanted: options.messages, ...state });
  server?.stop();
  process.exitCode = code;
}

main().catch((error) => {
  console.error(
    error instanceof UsageError ? `${error.message}\n\`npm run demo -- --help\` lists the options.` : error,
  );
  process.exit(error instanceof UsageError ? 2 : 1);
});
