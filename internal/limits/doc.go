// Package limits bounds the resources that untrusted clients can make a server hold.
//
// [Connections] limits the open connections of a listener, and [AcceptRate] how fast it accepts
// them. [Calls] limits the concurrent calls of a gRPC server and the memory of their messages.
//
// Connections and calls beyond a limit are refused at once; existing ones are unaffected. Nothing
// queues here, because the queue would need a limit of its own. Reads from a connection whose calls
// are refused are delayed ([Throttle]), so that refusals cost the server little.
package limits
