// What the system knows of another process. Only Linux tells; elsewhere there is no answer.
'use strict';

const fs = require('node:fs');

// USER_HZ, which is 100 on every architecture Node runs on.
const TICK = 10_000;
const USER_TIME = 11;

function readProc(file) {
  try {
    return fs.readFileSync(`/proc/${file}`, 'utf8');
  } catch {
    return null;
  }
}

/** User and system time in microseconds from the fields of proc_pid_stat(5), to 10 ms each. */
function times(pid, first) {
  const text = readProc(`${pid}/stat`);
  if (!text) return undefined;
  // The second field is a program's name and may hold blanks.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[first]) + Number(fields[first + 1])) * TICK;
}

/** CPU time of a process so far, in microseconds. */
const cpuTime = (pid) => times(pid, USER_TIME);

/** CPU time of this process's children that have ended, in microseconds. */
const cpuTimeOfChildren = () => times('self', USER_TIME + 2);

/** Octets that a process has read with `read`, from sockets and files alike. */
function octetsRead(pid) {
  const text = readProc(`${pid}/io`);
  return text ? Number(/rchar: (\d+)/.exec(text)[1]) : undefined;
}

/** CPU time of this process's first thread, the JavaScript one, in microseconds. */
function threadTime() {
  const text = readProc(`self/task/${process.pid}/schedstat`);
  return text ? Number(text.split(' ')[0]) / 1000 : undefined;
}

module.exports = { cpuTime, cpuTimeOfChildren, octetsRead, threadTime };
