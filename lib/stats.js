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
  const engine = pool.engine;
  const snapshots = [pool, ...pool.accounts.pools].map(snapshotOf).filter(Boolean);
  const composed = new Map(paths);
  const native = composed.get('native') || 0;
  composed.delete('native');
  return {
    engine,
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
    limits: strictest(snapshots.flatMap(({ hosts }) => hosts)),
    hosts: hostsOf(pool, snapshots),
    rates: rates(snapshots),
    composed: { native, nodemailer: Object.fromEntries(composed) },
    latency: latency(snapshots),
  };
}

/** The engine's numbers; nodemailer's pool has none. */
function snapshotOf({ _backend, options, parent }) {
  const snapshot = _backend?.snapshot();
  if (!snapshot) {
    return null;
  }
  const account = parent ? { account: options.auth?.user } : undefined;
  const connections = snapshot.connections.map((connection) => describe(connection, _backend.hosts, account));
  return { ...snapshot, connections };
}

function describe({ id, host: number, state, age, messages, bytes, tls, resumed }, hosts, account) {
  const secured = tls ? { tls, resumed } : undefined;
  return { id, state, ...hosts[number], age, messages, bytes, ...secured, ...account };
}

/** Each host as the pool and its accounts see it. */
function hostsOf({ _backend }, snapshots) {
  return (_backend?.hosts ?? []).map((place, number) => {
    const views = snapshots.map(({ hosts }) => hosts[number]);
    return { ...place, avoided: views.some(({ avoided }) => avoided), limits: strictest(views) };
  });
}

/** What servers have shown, the strictest where several did. */
function strictest(views) {
  const known = {};
  for (const [name, value] of views.flatMap(({ learned }) => Object.entries(learned))) {
    if (value !== null) {
      known[name] = Math.min(known[name] ?? Infinity, value);
    }
  }
  return known;
}

const RATES = { rate: 'rateLimit', recipients: 'maxRecipientsPerSecond', bytes: 'maxBytesPerSecond' };

/** What is used of the limits on the rate, which accounts share. */
function rates([snapshot]) {
  const set = Object.entries(RATES).filter(([name]) => snapshot?.limiter[name]);
  return Object.fromEntries(set.map(([name, option]) => [option, snapshot.limiter[name]]));
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
const PERCENTILES = ['count', 'p50', 'p95', 'p99', 'max'];

/** Accounts enter what they see into the same books, so that any snapshot has it all. */
function latency([snapshot]) {
  const figures = (step) => PERCENTILES.map((name) => [name, snapshot?.latency?.[step]?.[name] ?? 0]);
  return Object.fromEntries(STEPS.map((step) => [step, Object.fromEntries(figures(step))]));
}

module.exports = { poolStats };
