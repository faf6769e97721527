// Package scheduler is Dapr's Scheduler service over gRPC: the front of a node, for unmodified sidecars.
//
// It checks who calls and what they ask in the order in which Dapr does, and says no in Dapr's codes and words
// ([wire.Status]). It is where a relative time becomes an instant: each request is resolved as of one reading of the
// clock. It keeps no jobs ([Jobs] does) and chooses no receivers (dispatch does).
//
// [Service.Run] owns the server, its connections and the two goroutines of each WatchJobs stream: the one that sends
// triggers and the one that hears results. Either's end is the end of the stream, and then everything that was out with
// it is lost, which dispatch tells the engine. Other streams do not notice. A client that does not read blocks only its
// own sender; dispatch's bound on what may be out is the queue behind it.
//
// When Run's context ends, it takes no more connections, ends the streams at once, those that have never said
// anything included, gives the requests under way three seconds, and closes what is left. A panic costs the request
// or the stream that met it, not the process. Errors that a client cannot mend are logged here, once, and reach the
// client without their details.
package scheduler
