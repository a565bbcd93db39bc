// Package components registers what the tests need of Dapr's components: Kafka, a publisher's inbox in memory, and the
// name resolution that daprd asks for at its start. It stands in for Dapr's own file for builds without components.
package components

import (
	"github.com/dapr/components-contrib/nameresolution/mdns"
	inmemory "github.com/dapr/components-contrib/pubsub/in-memory"
	"github.com/dapr/components-contrib/pubsub/kafka"

	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/pubsub"
)

func init() {
	pubsub.DefaultRegistry.RegisterComponent(kafka.NewKafka, "kafka")
	pubsub.DefaultRegistry.RegisterComponent(inmemory.New, "in-memory")
	nameresolution.DefaultRegistry.RegisterComponent(mdns.NewResolver, "mdns")
}
