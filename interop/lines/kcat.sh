# Publish an event with kcat: SERVERS and TOPIC in the environment, event.json in the folder.
set -eu
# lines
kcat -P -b "$SERVERS" -t "$TOPIC" -k todo-1 -X partitioner=murmur2_random \
    -H "content-type=application/cloudevents+json; charset=UTF-8" event.json
