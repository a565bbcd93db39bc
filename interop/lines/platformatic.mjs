// Publish an event with @platformatic/kafka: SERVERS and TOPIC in the environment, event.json in the folder.
import { readFileSync } from "node:fs";

const event = readFileSync("event.json", "utf8");
const { SERVERS: servers, TOPIC: topic } = process.env;
// lines
import { Producer, stringSerializers } from "@platformatic/kafka";

const producer = new Producer({ clientId: "shop", bootstrapBrokers: [servers], serializers: stringSerializers });
const headers = { "content-type": "application/cloudevents+json; charset=UTF-8" };
await producer.send({ acks: -1, messages: [{ topic, key: "todo-1", value: event, headers }] });
await producer.close();
