package dispatch

import "sync"

// sharedState is what all targets and streams of a dispatcher share.
type sharedState struct {
	mu        sync.Mutex        // guards the fields below, and the states of all targets and streams
	counts    Stats             // its Targets is not counted
	tallies   [3]tally          // by kind of target
	throttled map[string]uint64 // triggers that were held, by the label of the semaphore that was full
	payload   payloadBudget
}
