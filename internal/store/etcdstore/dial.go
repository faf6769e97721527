package etcdstore

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// redial returns how a lost member is tried again: soon, because a cluster that has its majority back should go on.
func connectParams() grpc.ConnectParams {
	b := backoff.DefaultConfig
	b.BaseDelay, b.MaxDelay = 50*time.Millisecond, time.Second
	return grpc.ConnectParams{Backoff: b, MinConnectTimeout: 2 * time.Second}
}
