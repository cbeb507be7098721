// What the system knows of processes and threads. Only Linux tells; elsewhere there is no answer.
'use strict';

const fs = require('node:fs');

// USER_HZ, which is 100 on every architecture Node runs on.
const TICK = 10_000;
// Places in proc_pid_stat(5), counted from behind the program's name, which may hold blanks.
const [CHILDREN_USER, CHILDREN_SYSTEM] = [13, 14];

function readProc(file) {
  try {
    return fs.readFileSync(`/proc/${file}`, 'utf8');
  } catch {
    return null;
  }
}

/** CPU time of one thread so far, in microseconds. */
function cpuTimeOf(pid, thread) {
  const text = readProc(`${pid}/task/${thread}/schedstat`);
  return text ? Number(text.split(' ')[0]) / 1000 : undefined;
}

/** CPU time of this process's first thread, the JavaScript one, in microseconds. */
const threadTime = () => cpuTimeOf('self', process.pid);

/** CPU time of all threads of a process so far, in microseconds. */
function cpuTime(pid) {
  if (!readProc(`${pid}/task/${pid}/schedstat`)) return undefined;
  const threads = fs.readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => sum + (cpuTimeOf(pid, thread) ?? 0), 0);
}

/** CPU time of this process's children that have ended, in microseconds, exact to 10 ms. */
function cpuTimeOfChildren() {
  const text = readProc('self/stat');
  if (!text) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[CHILDREN_USER]) + Number(fields[CHILDREN_SYSTEM])) * TICK;
}

/** Octets that a process has read with `read`, from sockets and files alike. */
function octetsRead(pid) {
  const text = readProc(`${pid}/io`);
  return text ? Number(/rchar: (\d+)/.exec(text)[1]) : undefined;
}

module.exports = { cpuTime, cpuTimeOfChildren, octetsRead, threadTime };
