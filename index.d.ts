/**
 * Types of postpool: nodemailer's own, extended. Whatever compiles against nodemailer 10.6 compiles
 * against this; a pooled transporter has more to it, described here with units and defaults.
 *
 * Times are milliseconds and sizes are bytes unless a comment says otherwise.
 */
import type { EventEmitter } from 'node:events';
import type { ConnectionOptions } from 'node:tls';
import type {
  JSONSentMessageInfo,
  JSONSentMessageObjectInfo,
  JSONTransportOptions,
  Mail,
  MailDefaults,
  MailMessage,
  NodemailerError,
  SendMailOptions,
  SendmailSentMessageInfo,
  SendmailTransportOptions,
  SentMessageInfo,
  SESSentMessageInfo,
  SESTransportOptions,
  SMTPPoolOptions,
  SMTPPoolSentMessageInfo,
  SMTPSentMessageInfo,
  SMTPTransportOptions,
  StreamSentMessageInfo,
  StreamTransportOptions,
  Transport,
  TransportConfig,
  TransportOptions,
  VerifyCallback,
} from 'nodemailer';
import type JSONTransport from 'nodemailer/lib/json-transport';
import type SendmailTransport from 'nodemailer/lib/sendmail-transport';
import type SESTransport from 'nodemailer/lib/ses-transport';
import type SMTPPool from 'nodemailer/lib/smtp-pool';
import type SMTPTransport from 'nodemailer/lib/smtp-transport';
import type StreamTransport from 'nodemailer/lib/stream-transport';

export * from 'nodemailer';

// ---------------------------------------------------------------- options

/** How much of the pool's time a lane gets. */
export interface LaneOptions {
  /** Share relative to the other lanes that have messages waiting. Default 1. */
  weight?: number | undefined;
}

/** One of several servers. */
export interface HostOptions {
  /** Name or IP address. */
  host: string;
  /** Port. Default: the transport's. */
  port?: number | undefined;
  /** Name its certificate is checked against. Default: the transport's `servername`, else `host`. */
  servername?: string | undefined;
}

/** Options of `createTransport({ pool: true, … })`: nodemailer's, and postpool's own. */
export interface PoolOptions extends SMTPPoolOptions {
  /**
   * Several servers that take the same mail, instead of `host`. Connections spread over them; one that
   * fails is avoided for a while.
   */
  hosts?: ReadonlyArray<string | HostOptions> | undefined;
  /** Lanes by name. A message picks one with its `lane` field and waits only behind its own lane. */
  lanes?: Record<string, LaneOptions> | undefined;
  /** Connections opened at the start and kept open. Default 0. */
  minConnections?: number | undefined;
  /** Connections that may be shaking hands at the same time. Default 2. */
  maxConnecting?: number | undefined;
  /** Age in ms after which a connection is replaced, give or take a little. Default 0: never. */
  maxLifetime?: number | undefined;
  /** Messages that may wait; one more fails with `EQUEUEFULL`. Default 0: no limit. */
  maxQueue?: number | undefined;
  /** Bytes that waiting messages may hold; more fail with `EQUEUEFULL`. Default 0: no limit. */
  maxQueueBytes?: number | undefined;
  /** Time in ms a message may wait for a connection before it fails with `EQUEUETIMEOUT`. Default 0: no limit. */
  queueTimeout?: number | undefined;
  /** Time in ms from `sendMail` until a message must have been sent, or it fails with `ETIMEDOUT`. Default 0: no limit. */
  timeout?: number | undefined;
  /** Recipients a second over all connections. Default 0: no limit. */
  maxRecipientsPerSecond?: number | undefined;
  /** Bytes of messages a second over all connections. Default 0: no limit. */
  maxBytesPerSecond?: number | undefined;
  /** Send again when nobody can tell whether the server took the message; it may then arrive twice. Default false. */
  retryInDoubt?: boolean | undefined;
  /** Keep to the limits a server has shown: messages a session, connections, rate. Default true. */
  learnLimits?: boolean | undefined;
  /**
   * How many messages may be on the wire of one connection at once, where the server offers
   * PIPELINING. `'auto'` lets the pool choose, `false` or 1 means one at a time. Default `'auto'`.
   */
  pipelining?: 'auto' | false | number | undefined;
}

/** Fields of a message for a pooled transporter: nodemailer's, and postpool's own. */
export interface PoolMailOptions extends SendMailOptions {
  /** Lane to wait in. Default: a lane of its own for all messages that name none. */
  lane?: string | undefined;
  /** Time in ms until this message must have been sent; wins over the transport's `timeout`. */
  timeout?: number | undefined;
}

// ---------------------------------------------------------------- errors and results

/**
 * How far a message had come when it failed. In every phase but `'in-doubt'` the server has not
 * taken responsibility for it, so sending it again makes no duplicate.
 */
export type Phase =
  /** Waiting for a connection. */
  | 'queue'
  /** Resolving, dialling, speaking to a proxy, or TLS from the first byte. */
  | 'connect'
  /** Waiting for the server's greeting. */
  | 'greeting'
  /** EHLO, LHLO or HELO. */
  | 'ehlo'
  /** STARTTLS and its handshake. */
  | 'tls'
  /** AUTH. */
  | 'auth'
  /** MAIL and RCPT, or a check before them. */
  | 'envelope'
  /** The message was being sent; its end had not left. */
  | 'data'
  /** Its end had left and no answer came: delivered or not, nobody can tell. */
  | 'in-doubt'
  /** The server read the whole message and refused it. */
  | 'rejected';

/** Codes postpool adds to nodemailer's. */
export type PoolErrorCode = 'EQUEUEFULL' | 'EQUEUETIMEOUT' | 'EDKIM' | 'EINTERNAL';

/** An error of a pooled transporter: nodemailer's fields, and what is known about the message. */
export interface PoolError extends NodemailerError {
  /** How far the message had come. */
  phase?: Phase | undefined;
  /** Whether the message may have been delivered all the same; true only in phase `'in-doubt'`. */
  maybeDelivered?: boolean | undefined;
  /** The enhanced status code of the server's reply, such as `5.1.1` (RFC 3463). */
  enhancedCode?: string | undefined;
  /**
   * Recipients who got the message, though it failed: it was sent in several parts (RFC 9422 RCPTMAX)
   * and one of them is in doubt, or it was given up between two. `rejected` has the others, and
   * `rejectedErrors` says of each whether it may have been delivered.
   */
  accepted?: string[] | undefined;
  /** The same for every refused recipient. */
  rejectedErrors?: PoolError[] | undefined;
}

/** What `sendMail` resolves with; nodemailer's `info`. */
export type PoolSentMessageInfo = SMTPPoolSentMessageInfo;

/** Called once when a message was sent or failed. */
export type PoolSendCallback = (err: PoolError | null, info: PoolSentMessageInfo) => void;

// ---------------------------------------------------------------- life of a pool

/** How to close. */
export interface CloseOptions {
  /** Also end the connections that are delivering a message, whose messages then fail. Default false. */
  force?: boolean | undefined;
}

/** How to drain. */
export interface DrainOptions {
  /** Time in ms after which what is left fails and the pool closes. Default: no limit. */
  timeout?: number | undefined;
}

/** What became of the messages a pool held when `drain` was called. */
export interface DrainResult {
  /** Messages the server accepted. */
  sent: number;
  /** Messages that failed and were not delivered. */
  failed: number;
  /** Messages nobody can tell about; see {@link PoolError.maybeDelivered}. */
  inDoubt: number;
  /** Messages that were not sent because the time ran out. */
  remaining: number;
}

/** What can change while a pool runs. */
export type ResizeOptions = Pick<PoolOptions, 'maxConnections' | 'minConnections' | 'rateLimit'>;

/** What the next generation of connections uses. */
export interface RotateOptions {
  /** New credentials. */
  auth?: PoolOptions['auth'];
  /** New TLS options. */
  tls?: ConnectionOptions | undefined;
}

/** Which engine a pool runs on: postpool's own, or nodemailer's for options only nodemailer can honour. */
export type Engine = 'native' | 'nodemailer';

// ---------------------------------------------------------------- events

/** A connection, as events name it. */
export interface ConnectionEvent {
  /** Number of the connection in its pool, from 1. */
  id: number;
  /** Host it leads to. */
  host: string;
  /** Port it leads to. */
  port: number;
  /** User it logs in as, where messages brought credentials of their own. Such connections count apart. */
  account?: string | undefined;
}

/** A connection can take messages. */
export interface ConnectionReadyEvent extends ConnectionEvent {
  /** Time in ms from the first look-up to being ready. */
  duration: number;
}

/** A connection is gone. */
export interface ConnectionClosedEvent extends ConnectionEvent {
  /** Why, in a word or two: `idle`, `max-messages`, `max-lifetime`, `closed`, `error`, … */
  reason: string;
  /** Time in ms it lived. */
  duration: number;
  /** Messages it sent. */
  messages: number;
}

/** A message, as events name it. */
export interface MessageEvent {
  /** Number of the message in its pool, from 1. */
  id: number;
  /** Lane it waits in. */
  lane?: string | undefined;
}

/** A message was accepted by the server. */
export interface MessageSentEvent extends MessageEvent {
  /** Connection it went over. */
  connection: number;
  /** Time in ms since `sendMail`. */
  duration: number;
}

/** A message failed for good. */
export interface MessageFailedEvent extends MessageEvent {
  /** The error its `sendMail` rejects with. */
  error: PoolError;
  /** Time in ms since `sendMail`. */
  duration: number;
}

/** A message goes back to the front of the queue; it had not reached the end of its data. */
export interface MessageRequeuedEvent extends MessageEvent {
  /** What went wrong. */
  reason: string;
  /** How often that has happened to this message. */
  attempt: number;
}

/** The server has shown a limit that the pool now keeps to. */
export interface LimitLearnedEvent {
  /** Host it holds for. */
  host: string;
  /** Which limit: `messages`, `connections`, `rate`, `idle`, … */
  limit: string;
  /** Its value. */
  value: number;
}

/** Events of a pooled transporter and what their listeners get. */
export interface PoolEvents {
  /** The queue has room: the moment to hand over more messages. */
  idle: [];
  /** Nothing waits and the last connection is gone. */
  clear: [];
  /** Trouble that belongs to no single message. */
  error: [error: PoolError];
  /** A new OAuth2 access token; `expires` is ms since 1970. */
  token: [token: { user: string; accessToken: string; expires: number }];
  connectionCreated: [event: ConnectionEvent];
  connectionReady: [event: ConnectionReadyEvent];
  connectionClosed: [event: ConnectionClosedEvent];
  messageQueued: [event: MessageEvent];
  messageSent: [event: MessageSentEvent];
  messageFailed: [event: MessageFailedEvent];
  messageRequeued: [event: MessageRequeuedEvent];
  limitLearned: [event: LimitLearnedEvent];
}

// ---------------------------------------------------------------- stats

/** One server. */
export interface HostStats {
  host: string;
  port: number;
  /** It failed a moment ago: others are preferred. */
  avoided: boolean;
  /** Limits it has shown, by name. */
  limits: Record<string, number>;
}

/** One open connection. */
export interface ConnectionStats {
  /** Number of the connection in its pool, from 1. */
  id: number;
  /** What it is doing. */
  state: string;
  /** Host it leads to. */
  host: string;
  /** Port it leads to. */
  port: number;
  /** Time in ms since it was opened. */
  age: number;
  /** Messages sent over it. */
  messages: number;
  /** Bytes of messages sent over it. */
  bytes: number;
  /** TLS version, such as `TLSv1.3`; absent in the clear. */
  tls?: string | undefined;
  /** Whether its TLS session was resumed. */
  resumed?: boolean | undefined;
  /** User it logs in as, where messages brought credentials of their own. */
  account?: string | undefined;
}

/** One lane's queue. */
export interface LaneStats {
  /** Messages waiting. */
  length: number;
  /** Bytes they hold. */
  bytes: number;
  /** Time in ms the oldest has waited; 0 when none waits. */
  oldest: number;
}

/** Durations in ms by percentile. */
export interface Percentiles {
  count: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** A snapshot of a pool, made on demand. */
export interface PoolStats {
  /** Which engine runs. */
  engine: Engine;
  /** The open connections. */
  connections: ConnectionStats[];
  /** Waiting messages by lane. */
  queue: Record<string, LaneStats>;
  /** Messages handed over and not yet settled. */
  pending: number;
  /** Sums since the pool was made. */
  totals: {
    sent: number;
    failed: number;
    inDoubt: number;
    requeued: number;
    /** Failures by `err.code`. */
    rejected: Record<string, number>;
  };
  /** TLS handshakes. */
  handshakes: { full: number; resumed: number };
  /** Limits the servers have shown, by name; the strictest where several did. */
  limits: Record<string, number>;
  /** The servers, in the order of the options. */
  hosts: HostStats[];
  /** What the current window has used of the limits on the rate, by option; only those that are set. */
  rates: Partial<
    Record<'rateLimit' | 'maxRecipientsPerSecond' | 'maxBytesPerSecond', { limit: number; used: number }>
  >;
  /** Messages composed natively, and otherwise by reason. */
  composed: { native: number; nodemailer: Record<string, number> };
  /** Where the time goes. */
  latency: { wait: Percentiles; connect: Percentiles; envelope: Percentiles; data: Percentiles };
}

// ---------------------------------------------------------------- transporter and transport

/** What `createTransport({ pool: true })` returns: nodemailer's transporter with more to it. */
export interface PoolTransporter extends Mail<PoolSentMessageInfo, PoolOptions> {
  on<K extends keyof PoolEvents>(event: K, listener: (...args: PoolEvents[K]) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  once<K extends keyof PoolEvents>(event: K, listener: (...args: PoolEvents[K]) => void): this;
  once(event: string | symbol, listener: (...args: any[]) => void): this;
  off<K extends keyof PoolEvents>(event: K, listener: (...args: PoolEvents[K]) => void): this;
  off(event: string | symbol, listener: (...args: any[]) => void): this;
  /** Which engine runs. */
  readonly engine: Engine;
  sendMail(data: PoolMailOptions): Promise<PoolSentMessageInfo>;
  sendMail(data: PoolMailOptions, callback: PoolSendCallback): void;
  /** Closes the pool; what waits fails, what is being delivered is finished. Resolves when every connection is gone. */
  close: (options?: CloseOptions) => Promise<void>;
  /** Messages waiting or being delivered. */
  pendingCount(): number;
  /** Sends what is queued, then closes. */
  drain(options?: DrainOptions): Promise<DrainResult>;
  /** Starts no further message until `resume`. */
  pause(): void;
  /** Goes on after `pause`. */
  resume(): void;
  /** Changes limits at run time. */
  resize(options: ResizeOptions): void;
  /** Lets new connections use new credentials; old ones finish their message and go. */
  rotate(options?: RotateOptions): void;
  /** A snapshot of the pool. */
  stats(): PoolStats;
  /** `await using`: drains. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What `pool(options)` returns: a transport for nodemailer's own `createTransport`. */
export interface PoolTransport extends EventEmitter {
  on<K extends keyof PoolEvents>(event: K, listener: (...args: PoolEvents[K]) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  readonly name: string;
  readonly version: string;
  readonly supportsAbortSignal: true;
  /** The options in force, merged from object, URL and service. */
  options: PoolOptions;
  /** The transporter this transport belongs to, set by nodemailer. */
  mailer?: Mail<PoolSentMessageInfo, PoolOptions> | undefined;
  /** Which engine runs. */
  readonly engine: Engine;
  send(
    mail: MailMessage<PoolSentMessageInfo>,
    callback: (err: PoolError | null, info?: PoolSentMessageInfo) => void,
  ): boolean;
  verify(): Promise<true>;
  verify(callback: VerifyCallback): void;
  isIdle(): boolean;
  pendingCount(): number;
  close(options?: CloseOptions): Promise<void>;
  drain(options?: DrainOptions): Promise<DrainResult>;
  stats(): PoolStats;
}

// ---------------------------------------------------------------- entrance

/** Makes a pooled transporter. */
export declare function createTransport(
  options: PoolOptions & { pool: true },
  defaults?: MailDefaults,
): PoolTransporter;
/** Wraps a transport made by {@link pool}. */
export declare function createTransport(
  transport: PoolTransport,
  defaults?: MailDefaults,
): Mail<PoolSentMessageInfo, PoolOptions>;
export declare function createTransport(
  transport: SMTPPool,
  defaults?: MailDefaults,
): Mail<SMTPPoolSentMessageInfo, SMTPPoolOptions>;
export declare function createTransport(
  transport: SendmailTransport | (SendmailTransportOptions & { sendmail: true | string }),
  defaults?: MailDefaults,
): Mail<SendmailSentMessageInfo, SendmailTransportOptions>;
export declare function createTransport(
  transport: StreamTransport | (StreamTransportOptions & { streamTransport: true }),
  defaults?: MailDefaults,
): Mail<StreamSentMessageInfo, StreamTransportOptions>;
export declare function createTransport(
  transport: JSONTransportOptions & { jsonTransport: true; skipEncoding: true },
  defaults?: MailDefaults,
): Mail<JSONSentMessageObjectInfo, JSONTransportOptions>;
export declare function createTransport(
  transport: JSONTransport | (JSONTransportOptions & { jsonTransport: true }),
  defaults?: MailDefaults,
): Mail<JSONSentMessageInfo, JSONTransportOptions>;
export declare function createTransport(
  transport: SESTransport | (SESTransportOptions & { SES: object }),
  defaults?: MailDefaults,
): Mail<SESSentMessageInfo, SESTransportOptions>;
export declare function createTransport(
  transport: SMTPTransport,
  defaults?: MailDefaults,
): Mail<SMTPSentMessageInfo, SMTPTransportOptions>;
export declare function createTransport<T = SentMessageInfo, D extends TransportOptions = TransportOptions>(
  transport: Transport<T, D>,
  defaults?: MailDefaults,
): Mail<T, D>;
/** Makes a transporter from a URL, or from options whose `pool` is not known before run time. */
export declare function createTransport(
  options?: PoolOptions | SMTPTransportOptions | string,
  defaults?: MailDefaults,
): Mail<SMTPSentMessageInfo, SMTPTransportOptions>;
export declare function createTransport(
  transport?: PoolOptions | TransportConfig | Transport<any, any> | string,
  defaults?: MailDefaults,
): Mail<any, any>;

/** Makes a pool as a transport object, for `nodemailer.createTransport(pool(options))`. */
export declare function pool(options?: PoolOptions | string): PoolTransport;

import { createTestAccount, getTestMessageUrl } from 'nodemailer';

declare const postpool: {
  createTransport: typeof createTransport;
  createTestAccount: typeof createTestAccount;
  getTestMessageUrl: typeof getTestMessageUrl;
  pool: typeof pool;
};
export default postpool;
