// Makes src/events.ts, the types of the events, from docs/live.json. `node scripts/events.mjs --check` only compares.

import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";

const file = new URL("../src/events.ts", import.meta.url);
const { components } = JSON.parse(await readFile(new URL("../../../docs/live.json", import.meta.url), "utf8"));

/** The types of events: the schemas that have a place in the log. */
const types = Object.entries(components.schemas).filter(([, schema]) => "o" in schema.properties);
const nameOf = (type) => type.replace(/(^|[._])([a-z])/g, (_, __, letter) => letter.toUpperCase());

const definitions = {};
for (const [type, schema] of types) {
  const { p, o, ...properties } = schema.properties;
  const required = schema.required.filter((name) => name in properties);
  definitions[nameOf(type)] = { ...schema, title: nameOf(type), properties, required };
}
const schema = {
  title: "TodoEvent",
  description: "An event as a user sees it.",
  anyOf: Object.keys(definitions).map((name) => ({ $ref: `#/definitions/${name}` })),
  definitions,
};
const made =
  (await compile(schema, "TodoEvent", {
    bannerComment: "// Made from docs/live.json by scripts/events.mjs: `npm run events`. Do not edit.",
    maxItems: -1,
    format: true,
    style: { printWidth: 110 },
  })) +
  `
/** The types of events. */
export type EventType = TodoEvent["type"];

/** The event of a type. */
export type EventOf<T extends EventType> = Extract<TodoEvent, { type: T }>;
`;

if (!process.argv.includes("--check")) await writeFile(file, made);
else if ((await readFile(file, "utf8").catch(() => "")) !== made) {
  console.error("src/events.ts is not what docs/live.json says: npm run events");
  process.exit(1);
}
