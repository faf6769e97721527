// Package limits keeps what strangers can make a server hold within bounds: a [Listener] the connections that are open, and
// [Calls] the gRPC calls, which cost memory before anybody has looked at them.
//
// Whoever comes beyond a bound is refused at once; who is inside goes on. Nobody waits here: those who wait would be as
// many. But a connection whose calls are refused is read more slowly ([Slow]), so that to refuse costs next to nothing,
// too.
package limits
