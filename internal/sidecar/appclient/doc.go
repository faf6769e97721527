// Package appclient calls apps: it sends triggers, and checks an app's health.
//
// # What it promises
//
// An app may take as long as it likes before its answer begins. From then on it has
// responseTimeout; an answer that stalls fails the call.
//
// A trigger is one call, with one exception (docs/decisions/0017). A call is sent once more, on a
// new connection, if a connection that had been in use fails before the first byte of the answer:
// the app may have closed it as idle just then.
//
// A call that a local error prevented, such as too many open files, is [job.Lost] and says nothing
// about the app.
//
// # Who owns what
//
// A [Client] belongs to its caller, which closes it after its last call. No goroutine outlives a
// call, except those of net/http and grpc-go, which end with Close. [HealthChecker.Run] runs in
// the goroutine of its caller.
//
// The HTTP/1.1 client is our own (http1client.go); the others use net/http and grpc-go. All HTTP
// clients implement httpClient.
package appclient
