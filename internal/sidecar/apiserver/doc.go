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
// # Where to read
//
// A request to schedule a job:
//
//	httpserver.go   the HTTP servers; httpapi.go has what their handlers share
//	httphandler.go  checks the token (authenticator.go), the route (route.go) and the call limit
//	httpjob.go      resolves the app (target.go), and reads the body (httpbody.go)
//	calllimit.go    reservation.parseJob parses the body, within the limit of bytes
//	jobservice.go   checks the job (jobchecker.go), calls a scheduler, and warns (warning.go)
//	httpresponse.go writes an error; success is a status alone
//
// Over gRPC, grpcserver.go and grpcjob.go take the place of the files for HTTP. The other files, by
// duty:
//
//	httpbatch.go, batchrequest.go, batchreader.go   many jobs in one request
//	httpprocess.go, grpcprocess.go, shutdown.go     health, metadata and shutdown
//	timeouts.go, drain.go                           limits of time; calls that end when it stops
//	server.go, readiness.go                         the Server; when it reports that it is healthy
//	metadataservice.go, metadatastore.go            metadata that clients set
//	metrics.go, httpmetrics.go, grpcmetrics.go      Dapr's metrics; calllog.go has its log of calls
//
// # Who owns what
//
// [Server.Serve] starts a server for each kind of listener, and a goroutine that passes shutdown
// requests on. They have ended when it returns. When its context ends, calls have drainTimeout to
// finish, and are then canceled.
package apiserver
