// Package management serves the management API: what people and programs see of a scheduler.
//
// One HTTP server takes gRPC and JSON on one port. A request is admitted by the token in
// its header, and then authorized by one table: each method has a verb, and the token has verbs,
// namespaces and apps. JSON requests are translated by grpc-gateway and handled in process: they
// pass the same interceptor as gRPC calls.
//
// Nothing here holds state about jobs. A page of jobs is read from the store; a job that is due is
// shown with what the node that owns it says. Work is bounded: a page or a count ends after a
// number of jobs, and says so.
//
// The server never shows a payload except in GetJob with the view FULL, to a caller that has the
// verb jobs.payload; each is a line in the audit log.
package management
