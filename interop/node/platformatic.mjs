// Writes records into a topic, or reads them, with @platformatic/kafka; see interop/programs.py for what it
// is told.
import { Consumer, Producer } from "@platformatic/kafka";
import { bytes, each, input, text } from "./records.mjs";

const { action, servers, topic, codec, count, transaction, records } = await input();
const options = { clientId: "interop", bootstrapBrokers: [servers] };

if (action === "write") {
  const producer = new Producer({
    ...options,
    acks: -1,
    ...(transaction && { idempotent: true, transactionalId: `platformatic-${topic}-${process.pid}` }),
  });
  const messages = records.map(({ key, value, headers }) => ({
    topic,
    key: bytes(key) ?? undefined,
    value: bytes(value) ?? undefined,
    headers: new Map(headers.map(([name, one]) => [Buffer.from(name), bytes(one)])),
  }));
  const compression = codec ?? "none";
  if (transaction) {
    const begun = await producer.beginTransaction();
    await begun.send({ messages, compression });
    await begun[transaction]();
  } else {
    await producer.send({ messages, compression });
  }
  await producer.close();
} else {
  const consumer = new Consumer({ ...options, groupId: `platformatic-${topic}` });
  const stream = await consumer.consume({ topics: [topic], mode: "earliest", sessionTimeout: 10000, heartbeatInterval: 500 });
  const done = each(count);
  stream.on("data", ({ key, value }) => done.take({ key: text(key), value: text(value) }));
  await done.all;
  await consumer.close(true);
}
