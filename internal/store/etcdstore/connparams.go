package etcdstore

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// connectParams returns how to reconnect to a member: soon, because the cluster may have its
// majority again.
func connectParams() grpc.ConnectParams {
	b := backoff.DefaultConfig
	b.BaseDelay, b.MaxDelay = 50*time.Millisecond, time.Second
	return grpc.ConnectParams{Backoff: b, MinConnectTimeout: 2 * time.Second}
}
