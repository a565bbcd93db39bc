// Writes records into a topic, or reads them, with KafkaJS; see interop/programs.py for what it is told.
import { CompressionTypes, Kafka, Partitioners, logLevel } from "kafkajs";
import { bytes, each, input, text } from "./records.mjs";

const { action, servers, topic, codec, count, transaction, records } = await input();
const kafka = new Kafka({ brokers: [servers], logLevel: logLevel.NOTHING });

if (action === "write") {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    ...(transaction && { transactionalId: `kafkajs-${topic}`, maxInFlightRequests: 1, idempotent: true }),
  });
  await producer.connect();
  const messages = records.map(({ key, value, headers }) => ({
    key: bytes(key),
    value: bytes(value),
    headers: Object.fromEntries(headers.map(([name, one]) => [name, bytes(one)])),
  }));
  const compression = codec === "gzip" ? CompressionTypes.GZIP : CompressionTypes.None;
  if (transaction) {
    const begun = await producer.transaction();
    await begun.send({ topic, acks: -1, messages, compression });
    await begun[transaction]();
  } else {
    await producer.send({ topic, acks: -1, messages, compression });
  }
  await producer.disconnect();
} else {
  const consumer = kafka.consumer({ groupId: `kafkajs-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const done = each(count);
  await consumer.run({
    eachMessage: async ({ message }) => done.take({ key: text(message.key), value: text(message.value) }),
  });
  await done.all;
  await consumer.disconnect();
}
