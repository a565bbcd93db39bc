// Publish an event with KafkaJS: SERVERS and TOPIC in the environment, event.json in the folder.
import { readFileSync } from "node:fs";

const event = readFileSync("event.json");
const { SERVERS: servers, TOPIC: topic } = process.env;
// lines
import { Kafka, Partitioners } from "kafkajs";

const producer = new Kafka({ brokers: [servers] }).producer({ createPartitioner: Partitioners.DefaultPartitioner });
await producer.connect();
const headers = { "content-type": "application/cloudevents+json; charset=UTF-8" };
await producer.send({ topic, acks: -1, messages: [{ key: "todo-1", value: event, headers }] });
await producer.disconnect();
