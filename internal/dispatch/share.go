package dispatch

// A Share is the part of each [Limit] that this node grants. A limit holds for the whole cluster, and each node delivers
// over its own streams alone, so the nodes divide it (scheduler specification §2.6, "Split over the cluster"). A part that
// one node does not use is not lent to another.
type Share struct {
	Nodes int // live nodes of the cluster, this one included; a node that knows of no cluster has 1
	Index int // this node's place among their addresses in ascending order, from 0 to Nodes-1
}

// of returns how many of limit slots the node grants, at least 1: with fewer slots than nodes the sum exceeds limit.
func (s Share) of(limit int) int {
	n := limit / s.Nodes
	if s.Index < limit%s.Nodes {
		n++
	}
	return max(1, n)
}

// SetShare has d grant that share from now on, also at streams that are connected. What waits for a slot goes out at once
// if the share has grown. If it has shrunk, what is out stays out, and nothing follows until that fits. d begins with
// the whole of each limit. s.Nodes must be positive.
func (d *Dispatcher) SetShare(s Share) {
	d.mu.Lock()
	if d.share == s {
		d.mu.Unlock()
		return
	}
	d.share = s
	var calls []wakeUp
	for _, r := range d.routes {
		if r.gates != nil {
			calls = r.admit(calls)
		}
	}
	d.mu.Unlock()
	call(calls)
}
