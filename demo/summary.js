'use strict';

/** The value below which a share of all values lies (nearest rank). */
function percentile(sorted, share) {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

function milliseconds(value) {
  return value === undefined ? '–' : `${value.toFixed(1)} ms`;
}

/** How the messages a server counted differ from those reported as sent; empty when they do not. */
function compare(sentIds, received) {
  const sent = new Set(sentIds);
  const arrived = new Map(received);
  const problems = [];
  const missing = [...sent].filter((id) => !arrived.has(id)).length;
  const repeated = received.filter(([, times]) => times > 1).length;
  const unknown = received.filter(([id]) => !sent.has(id)).length;
  if (sent.size < sentIds.length) problems.push(`${sentIds.length - sent.size} Message-IDs were used twice`);
  if (missing > 0) problems.push(`${missing} messages were reported as sent and did not arrive`);
  if (repeated > 0) problems.push(`${repeated} messages arrived more than once`);
  if (unknown > 0) problems.push(`${unknown} messages arrived and were not reported as sent`);
  return problems;
}

function connectionLines(report) {
  if (!report) return [];
  const each = report.perConnection;
  const spread = each.length > 0 ? `${Math.min(...each)} to ${Math.max(...each)}` : '–';
  return [
    ['connections opened', String(each.length)],
    ['messages a connection', spread],
    ['arrived at the server', `${report.messages.length} different Message-IDs`],
  ];
}

/** The summary as lines of text. */
function summary(result, report) {
  const sorted = [...result.latencies].sort((a, b) => a - b);
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => milliseconds(percentile(sorted, share)));
  const rows = [
    ['sent', String(result.ids.length)],
    ['failed', String(result.failures.length)],
    ['messages per second', (result.ids.length / result.seconds).toFixed(0)],
    ['latency p50 / p95 / p99', `${p50} / ${p95} / ${p99}`],
    ...connectionLines(report),
    ['event-loop delay p99', milliseconds(result.eventLoopDelay)],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(24)} ${value}`).join('\n');
}

module.exports = { compare, percentile, summary };
