/** A pooled transporter: nodemailer's type, and more. */
import { createTransport, pool } from 'postpool';
import type { PoolOptions, PoolTransporter, PoolStats, DrainResult, Phase } from 'postpool';
import nodemailer = require('nodemailer');
import type { Transporter, SMTPPoolOptions, SMTPPoolSentMessageInfo, SentMessageInfo } from 'nodemailer';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function is<T extends true>(): T;

const transporter = createTransport({
  pool: true,
  host: 'localhost',
  maxConnections: 5,
  maxMessages: 100,
  lanes: { transactional: { weight: 10 }, bulk: {} },
  minConnections: 1,
  maxConnecting: 2,
  maxLifetime: 60_000,
  maxQueue: 10_000,
  maxQueueBytes: 1e9,
  queueTimeout: 1000,
  timeout: 60_000,
  maxRecipientsPerSecond: 10,
  maxBytesPerSecond: 1e6,
  retryInDoubt: false,
  learnLimits: true,
  pipelining: 'auto',
});
is<Equal<typeof transporter, PoolTransporter>>();

// it is nodemailer's transporter
const asPool: Transporter<SMTPPoolSentMessageInfo, SMTPPoolOptions> = transporter;
const asAny: Transporter = transporter;
const asInfo: Transporter<SentMessageInfo> = transporter;
void [asPool, asAny, asInfo];

// options that are not known before run time
const widened = { pool: true, host: 'localhost', maxConnections: 3 };
createTransport(widened).sendMail({ to: 'a@example.com' });
createTransport({ pool: Boolean(process.env['POOL']), maxQueue: 3 });
const typed: PoolOptions = { pool: true };
createTransport(typed).close();
createTransport('smtp://localhost?pool=true', { from: 'me@example.com' });

async function use() {
  const info = await transporter.sendMail({ to: 'a@example.com', lane: 'bulk', timeout: 100 });
  is<Equal<typeof info, SMTPPoolSentMessageInfo>>();
  is<Equal<typeof info.accepted, string[]>>();
  transporter.sendMail({ to: 'a@example.com', signal: AbortSignal.timeout(1) }, (err, result) => {
    is<Equal<NonNullable<typeof err>['phase'], Phase | undefined>>();
    if (err?.maybeDelivered)
      console.log(
        err.accepted?.[0]?.length,
        err.enhancedCode,
        err.responseCode,
        err.rejectedErrors?.[0]?.phase,
      );
    console.log(result.messageId);
  });
  const closed: void = await transporter.close({ force: true });
  const drained: DrainResult = await transporter.drain({ timeout: 1000 });
  const stats: PoolStats = transporter.stats();
  transporter.pause();
  transporter.resume();
  transporter.resize({ maxConnections: 2, minConnections: 0, rateLimit: 5 });
  transporter.rotate({ auth: { user: 'u', pass: 'p' }, tls: { servername: 'x' } });
  is<Equal<typeof transporter.engine, 'native' | 'nodemailer'>>();
  const verified: true = await transporter.verify();
  const pending: number = transporter.pendingCount();
  void [closed, drained, stats, verified, pending];
}

async function dispose() {
  await using scoped = createTransport({ pool: true });
  void scoped;
}

transporter
  .on('idle', () => {})
  .on('connectionClosed', ({ id, reason, duration, messages }) => [id + duration + messages, reason.length])
  .once('messageFailed', ({ error }) => error.phase)
  .on('limitLearned', ({ limit, value }) => `${limit}${value}`)
  .on('token', ({ user, accessToken, expires }) => user + accessToken + expires)
  .on('something else', (...args: unknown[]) => args);

// the transport object in nodemailer's own createTransport
const plain = nodemailer.createTransport(pool({ host: 'localhost', maxQueue: 5 }));
const own = createTransport(pool('smtp://localhost'));
async function viaTransport() {
  const [a, b] = [await plain.sendMail({}), await own.sendMail({})];
  is<Equal<typeof a, SMTPPoolSentMessageInfo>>();
  is<Equal<typeof b, SMTPPoolSentMessageInfo>>();
}

// @ts-expect-error a lane has a weight, not a priority
createTransport({ pool: true, lanes: { a: { priority: 1 } } });
// @ts-expect-error a message has no such field type
transporter.sendMail({ lane: 5 });
// @ts-expect-error pipelining is a number, false or auto
createTransport({ pool: true, pipelining: 'never' });

void [use, dispose, viaTransport];
