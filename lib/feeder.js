'use strict';

/**
 * Feeds the engine with the bytes of a message that nodemailer composes, as fast as the connection
 * takes them.
 */
class Feeder {
  /**
   * @param {object} engine the native engine
   * @param {number} id the message's number
   * @param {number} attempt which attempt asked for the bytes
   */
  constructor(engine, id, attempt) {
    this.engine = engine;
    this.id = id;
    this.attempt = attempt;
    this.error = null;
    this.done = false;
  }

  /** Opens the message's stream and pumps it. */
  start(message) {
    try {
      this.stream = message.createReadStream();
    } catch (err) {
      this.finish(err);
      return;
    }
    this.stream.on('error', (err) => this.finish(err));
    this.stream.on('end', () => this.finish());
    this.stream.on('close', () => this.finish(prematureClose()));
    this.stream.on('data', (piece) => this.feed(piece));
  }

  feed(piece) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (!this.done && !this.engine.chunk(this.id, this.attempt, bytes)) {
      this.stream.pause();
    }
  }

  /** The connection has room again. */
  resume() {
    this.stream?.resume();
  }

  finish(err) {
    if (this.done) {
      return;
    }
    this.done = true;
    this.error = err || null;
    this.engine.end(this.id, this.attempt, err ? String(err.message) : null);
  }

  /** Nobody wants the bytes any more: release what the stream reads from. */
  stop() {
    this.done = true;
    if (this.stream && !this.stream.destroyed) {
      this.stream.on('error', () => {});
      this.stream.destroy?.();
    }
  }
}

function prematureClose() {
  return Object.assign(new Error('Premature close'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}

module.exports = { Feeder };
