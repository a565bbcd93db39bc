# Publish an event with Kafka's console tool: SERVERS and TOPIC in the environment, event.json in the folder.
set -eu
# lines
{ printf 'content-type:application/cloudevents+json; charset=UTF-8\ttodo-1\t'; cat event.json; echo; } |
    kafka-console-producer.sh --bootstrap-server "$SERVERS" --topic "$TOPIC" \
    --reader-property parse.headers=true --reader-property parse.key=true
