'use strict';

/**
 * A pool at one moment: what JavaScript counts, and a snapshot of the engine's. Times are in
 * milliseconds, sizes in bytes.
 *
 * @param {import('./pool').Pool} pool
 * @returns {import('..').PoolStats}
 */
function poolStats(pool) {
  const { tally, paths } = pool;
  const backends = [pool, ...pool.accounts.pools].map(({ _backend }) => _backend).filter(Boolean);
  const snapshots = backends.map((backend) => backend.snapshot()).filter(Boolean);
  const composed = new Map(paths);
  const native = composed.get('native') || 0;
  composed.delete('native');
  return {
    engine: pool.engine,
    connections: snapshots.flatMap(({ connections }) => connections),
    queue: lanes(snapshots),
    pending: tally.pending,
    totals: {
      sent: tally.sent,
      failed: tally.failed + tally.remaining,
      inDoubt: tally.inDoubt,
      requeued: tally.requeued,
      rejected: Object.fromEntries(tally.rejected),
    },
    handshakes: { ...tally.handshakes },
    limits: Object.assign({}, ...snapshots.map(({ limits }) => limits)),
    composed: { native, nodemailer: Object.fromEntries(composed) },
    latency: latency(snapshots[0]),
  };
}

/** Lanes of the same name together. */
function lanes(snapshots) {
  const queue = {};
  for (const { name, queued, bytes = 0, oldest } of snapshots.flatMap((snapshot) => snapshot.lanes)) {
    const lane = (queue[name] ??= { length: 0, bytes: 0, oldest: 0 });
    lane.length += queued;
    lane.bytes += bytes;
    lane.oldest = Math.max(lane.oldest, oldest);
  }
  return queue;
}

const STEPS = ['wait', 'connect', 'envelope', 'data'];
const NOTHING = { count: 0, p50: 0, p95: 0, p99: 0, max: 0 };

/** Of the pool's own connections; those of accounts have statistics of their own. */
function latency(snapshot) {
  return Object.fromEntries(STEPS.map((step) => [step, { ...NOTHING, ...snapshot?.latency?.[step] }]));
}

module.exports = { poolStats };
