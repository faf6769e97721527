// Package scheduler implements Dapr's Scheduler service over gRPC, for unmodified sidecars.
//
// It checks callers and requests in Dapr's order, and refuses them with Dapr's codes and texts
// ([wire.Status]). It turns relative times into instants: each request is resolved as of one
// reading of the clock. It stores no jobs ([Jobs] does) and chooses no receivers (package dispatch
// does).
//
// [Service.Run] owns the server, its connections and two goroutines of each WatchJobs stream: one
// sends triggers and one receives results. When either ends, the stream ends, and everything in
// flight on it is lost, which dispatch tells the engine. Other streams are unaffected. A client
// that does not read blocks only its own sender; what queues behind it counts towards the limit
// that dispatch has for triggers in flight.
//
// When the context of Run ends, it accepts no more connections and ends all streams at once, even
// those without a first message. It gives open requests three seconds, and closes the remaining
// connections. A panic fails the request or the stream that caused it, not the process. Errors that
// a client cannot fix are logged here, once, and reach the client without their details.
package scheduler
