'use strict';

/** Turns a server and what it is asked into Jest tests. */

const { startMachine, whyNot } = require('./machine');
const { Mailboxes } = require('./maildir');
const { startDistance } = require('./distance');
const { arrived, claims, damaged, facts, seen, send } = require('./trial');

/** Ways of pipelining; far away, `auto` climbs to where whole messages are in flight. */
const RUNGS = [
  { pipelining: false },
  { pipelining: 1 },
  { pipelining: 2 },
  { pipelining: 8 },
  { pipelining: 'auto' },
  { pipelining: 'auto', far: true },
];

/**
 * @param {import('./machine').Peer} peer
 * @param {object} how
 * @param {string[]} how.offers what the server has of that which cases need
 * @param {object} [how.options] of every transport to it
 * @param {string} [how.port] name of the port that cases use which name none
 * @param {[RegExp, string][]} [how.masks] for what the server's replies never say twice
 * @param {object[]} cases
 */
function against(peer, { offers, options, port = 'smtp', masks }, cases) {
  const reason = whyNot(peer);
  if (reason) return test.skip(`${peer.name} is left out: ${reason}`, () => {});
  const state = { outcomes: [] };
  beforeAll(async () => {
    state.machine = await startMachine(peer);
    state.box = peer.box?.(state.machine) ?? new Mailboxes(state.machine.mail);
  }, 30000);
  afterAll(() => state.machine?.stop());

  const attempt = (library, { mails, ...one }, rung) =>
    trial(
      state,
      library,
      { ...one, options: { ...options, ...one.options }, port: one.port ?? port },
      mails,
      rung,
    );

  for (const one of cases.filter(({ needs = [] }) => needs.every((need) => offers.includes(need)))) {
    test(one.name, () => holds(one, attempt, masks), 60000);
  }
  test('nothing has arrived that was not said to be, and nothing twice', () => {
    expect(facts(state.box.read()).sort()).toEqual(claims(state.outcomes).sort());
  });
}

/** `near` leaves out the relay, which forgets what it has not passed on when a server hangs up on it. */
function rungs(one) {
  if (!one.rungs) return [{}];
  return one.rungs === 'near' ? RUNGS.filter(({ far }) => !far) : RUNGS;
}

async function holds(one, attempt, masks) {
  const theirs = one.alone ? null : await attempt('nodemailer', one);
  for (const rung of rungs(one)) {
    const ours = await attempt('postpool', one, rung);
    if (theirs && !one.apart)
      expect({ rung, seen: seen(ours, masks) }).toEqual({ rung, seen: seen(theirs, masks) });
    one.check?.(ours);
  }
}

/** Sends and checks what can be checked of one library alone: claims are facts, and nothing is damaged. */
async function trial(state, library, { options, port }, mails, { far, ...rung } = {}) {
  const near = state.machine.ports[port];
  const distance = far && (await startDistance(near));
  const outcomes = await send(library, { port: distance?.port ?? near, ...options, ...rung }, mails);
  await distance?.stop();
  const deliveries = await arrived(outcomes, state.box);
  expect(facts(deliveries).sort()).toEqual(claims(outcomes).sort());
  expect(await damaged(outcomes, deliveries)).toEqual([]);
  state.outcomes.push(...outcomes);
  return outcomes;
}

module.exports = { against };
