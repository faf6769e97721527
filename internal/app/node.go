package app

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Node is a node that is ready to run. It owns its listeners and its store; Run closes them.
type Node struct {
	store      io.Closer // nil in a sidecar node
	components []component
}

// Run runs the node until ctx ends or a client requests a shutdown, and then returns nil. If a component
// fails, it returns the error of that component. When it returns, all goroutines of the node have ended
// and the store is closed. It must be called once.
func (n *Node) Run(ctx context.Context) error {
	err := runComponents(ctx, n.components...)
	if n.store != nil {
		err = errors.Join(err, n.store.Close())
	}
	if err != nil {
		return fmt.Errorf("run the node: %w", err)
	}
	return nil
}
