package peerv1

import "time"

// A NodeReport is what one node knows of a node of its cluster, itself included.
type NodeReport struct {
	ID, Address string
	Status      *NodeStatus // what the node says of itself; nil if it does not answer
	Member      bool        // whether it is a member of the cluster
	Problem     string      // why Status is nil, for a person
	Since       time.Time   // since when Status is nil, as far as it was noticed
}
