// Records as JSON: keys, values and headers are base64, or null.

/** What this program is told: one JSON object on its standard input. */
export async function input() {
  let whole = "";
  for await (const part of process.stdin) whole += part;
  return JSON.parse(whole);
}

export const bytes = (coded) => (coded === null ? null : Buffer.from(coded, "base64"));

export const text = (found) => (found === null || found === undefined ? null : Buffer.from(found).toString("base64"));

/** Prints records, and ends when `count` are printed. */
export function each(count) {
  const { promise, resolve } = withResolvers();
  let left = count;
  return {
    all: promise,
    take(record) {
      if (left > 0) console.log(JSON.stringify(record));
      left -= 1;
      if (left === 0) resolve();
    },
  };
}

function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
