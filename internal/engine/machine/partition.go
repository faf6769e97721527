package machine

import "carillon/internal/store"

// A partition is one that the machine decides for.
type partition struct {
	fence   store.Fence // proves in each commit that this node owns the partition
	stopped bool        // fires nothing more; outcomes are still recorded
}
