package scheduler

import (
	"sync"
)

// A server is a [Service] that is served by one call of Run.
type server struct {
	*Service

	// atClose registers f to be called when the server closes, unless it is canceled.
	atClose func(f func()) (cancel func() bool)
	// receivers are the goroutines that receive from streams. Each ends soon after the handler of
	// its stream.
	receivers sync.WaitGroup
}
