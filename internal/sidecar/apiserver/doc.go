// Package apiserver serves Dapr's jobs API over HTTP and gRPC.
//
// # What it promises
//
// Every call about jobs becomes one call of one scheduler. The server checks only what needs no
// knowledge of jobs: the token, the app, the size and form of a body, and that a name and a time
// are present. Both dialects of the API, the published one and today's, share one code path; they
// differ in the status codes of success.
//
// The metadata describes the process and its default app. It is in memory, limited in size, and
// lost when the process ends. A client that asks for a shutdown gets its response before the
// process is told.
//
// Calls in flight are limited in number (maxCalls) and in bytes (Config.MaxCallBytes), over HTTP
// and gRPC together. Calls beyond that are refused at once, except health checks and shutdowns.
//
// # Who owns what
//
// [Server.Serve] starts a server for each kind of listener, and a goroutine that passes shutdown
// requests on. They have ended when it returns. When its context ends, calls have drainTimeout to
// finish, and are then canceled.
package apiserver
