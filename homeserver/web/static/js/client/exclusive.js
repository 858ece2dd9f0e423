import { randomId } from "./dom.js";

const HOLD_MS = 15000;
const LOOK_MS = 40;

/**
 * Run `action` while no other tab of this site runs one under the same name.
 *
 * @template Result
 * @param {string} name
 * @param {() => Promise<Result>} action
 * @returns {Promise<Result>}
 */
export async function exclusive(name, action) {
  if (navigator.locks) return navigator.locks.request(name, action);
  return withStoredLock(name, action);
}

/**
 * Say to the other tabs, for a while, that something was done. Unlike what is written into localStorage, which other
 * tabs see a moment later, a lock is seen by all of them at once. Resolves when it is.
 *
 * @param {string} name
 * @param {number} holdMs
 * @returns {Promise<void>}
 */
export async function announce(name, holdMs) {
  if (!navigator.locks) return;
  await new Promise((resolve, reject) => {
    const hold = () => {
      resolve(undefined);
      return pause(holdMs);
    };
    navigator.locks.request(name, { mode: "shared" }, hold).catch(reject);
  });
}

/** Whether a tab has announced this lately. @param {string} name */
export async function isAnnounced(name) {
  if (!navigator.locks) return false; // the stored lock is seen to be free only after what was written before
  const { held } = await navigator.locks.query();
  return (held ?? []).some((lock) => lock.name === name);
}

/**
 * The same on plain http, where browsers have no locks: a name in localStorage, which ends by itself in case its tab
 * was closed. It is written and read again a moment later, so that of two tabs that write at once one gives way.
 *
 * @template Result
 * @param {string} name
 * @param {() => Promise<Result>} action
 * @returns {Promise<Result>}
 */
async function withStoredLock(name, action) {
  const key = `lock:${name}`;
  const owner = randomId();
  for (;;) {
    const [holder, until] = (localStorage.getItem(key) ?? "").split(" ");
    if (!holder || Number(until) < Date.now()) {
      localStorage.setItem(key, `${owner} ${Date.now() + HOLD_MS}`);
      await pause(LOOK_MS);
      if (localStorage.getItem(key)?.startsWith(owner)) break;
    }
    await pause(LOOK_MS * (1 + Math.random()));
  }
  try {
    return await action();
  } finally {
    if (localStorage.getItem(key)?.startsWith(owner)) localStorage.removeItem(key);
  }
}

/** @param {number} delayMs */
function pause(delayMs) {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
