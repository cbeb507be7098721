'use strict';

const MEBIBYTE = 1024 * 1024;

const count = (value) => Math.round(value).toLocaleString('en');
const micro = (value) => `${value < 100 ? value.toFixed(1) : count(value)} µs`;
const milli = (value) => `${value.toFixed(1)} ms`;
const octets = (value) => `${count(value)} B`;
const mebibytes = (value) => `${(value / MEBIBYTE).toFixed(1)} MB`;
const percent = (value) => `${Math.round(value * 100)} %`;

/**
 * What is measured, in the order of the tables: its title, how it is shown, and whether more of it
 * is better (`true`), less of it (`false`), or neither.
 */
const FIGURES = {
  rate: { title: 'msg/s', show: count, more: true },
  cpu: { title: 'CPU/msg', show: micro, more: false },
  thread: { title: 'JS CPU/msg', show: micro, more: false },
  busy: { title: 'JS busy/msg', show: micro, more: false },
  delay: { title: 'delay p99', show: milli, more: false },
  handOver: { title: 'sendMail()', show: micro, more: false },
  memory: { title: 'peak memory', show: mebibytes, more: false },
  rss: { title: 'RSS/queued', show: octets, more: false },
  heap: { title: 'heap/queued', show: octets, more: false },
  load: { title: 'require()', show: milli, more: false },
  addon: { title: 'addon', show: mebibytes },
  sink: { title: 'sink CPU', show: percent },
};

module.exports = { FIGURES };
