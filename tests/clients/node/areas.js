// Runs areas one after the other and prints one line for each: `ok kv`, `FAIL lease: why`, or
// `not built auth: what the server said`. The exit code is 1 if an area failed.

export const endpoint = process.env.ETCD_ENDPOINT ?? '127.0.0.1:2379';

/** How long one area may take, in milliseconds. */
const PATIENCE = 30_000;

export async function run(client, areas) {
  let failed = false;
  for (const [name, area] of Object.entries(areas)) {
    try {
      await inTime(area(client));
      console.log(`ok ${name}`);
    } catch (error) {
      const words = notBuilt(error);
      if (words) {
        console.log(`not built ${name}: ${words}`);
        continue;
      }
      console.log(`FAIL ${name}: ${String(error?.stack ?? error).split('\n').slice(0, 3).join(' ')}`);
      failed = true;
    }
  }
  client.close();
  process.exit(failed ? 1 : 0);
}

function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${PATIENCE} ms`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The server's words, if it says that it has not built the call. */
function notBuilt(error) {
  const words = String(error?.message ?? error);
  const at = words.indexOf('unimplemented: ');
  return words.includes('12 UNIMPLEMENTED') && at >= 0 ? words.slice(at) : undefined;
}

/** Waits for the next time that `emitter` tells of `event`, and returns what it says. */
export function next(emitter, event) {
  return new Promise(resolve => emitter.once(event, (...said) => resolve(said)));
}

/** Awaits a call that must fail with these words; passes on one that is not built. */
export async function refused(promise, words) {
  try {
    await promise;
  } catch (error) {
    if (notBuilt(error) || !String(error.message).includes(words)) throw error;
    return error;
  }
  throw new Error(`not refused with: ${words}`);
}
