// Package daprmetrics makes Prometheus metrics in the form that daprd's have: its histogram
// buckets, its labels for calls over HTTP and gRPC.
//
// A series is never removed. So no label takes values without bound: a status or code that has no
// name becomes one fixed value, whatever a peer sends.
package daprmetrics
