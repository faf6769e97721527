// Package sidecar serves Dapr's jobs API to a user's program, over HTTP and gRPC, and delivers triggers to the user's
// app. It keeps nothing: a job lives in the scheduler, and what is lost here is delivered again from there.
//
// # What it promises
//
// Every call of the API about jobs becomes one call of one scheduler. The sidecar judges only what needs no knowledge of
// jobs: the token, the app, the size and form of a body, that a name and a time are present. Both dialects of the API,
// the published one and today's, are one code path with two sets of success codes.
//
// Metadata describe the process and its default app, whoever asks; they are in memory, bounded, and gone with the
// process. Whoever asks for a shutdown gets an answer, and then the process is told.
//
// Every trigger that arrives is answered once: handled, or failed. No answer is given for a trigger whose call this side
// broke off, so that the scheduler delivers it again. An app may take as long as it likes before its answer begins; from
// then on it has headPatience.
//
// A trigger is one call, with two exceptions (docs/decisions/0017). Where a connection that had been in use fails before
// the first byte of the answer, the call is made once more, on a new one: the app may have closed it as idle just then.
// And a call that a local error prevented, such as too many open files, is made again until it works or the stream ends:
// that is never the app's failure.
//
// # Who owns what
//
// [Sidecar.Run] starts every goroutine, and returns when all have ended:
//
//   - one for each API listener's server, and those that the servers start per connection and call;
//   - one that tells the process when a client asks for its end (passShutdowns);
//   - one that watches the hosts (watchHosts) and alone changes the list of schedulers;
//   - one per app (serveApp), which waits until the app listens, and then keeps the streams of its app in step with
//     the list and with the app's health: for each scheduler a fixed number of streams;
//   - one per app that is to be asked for its health (watchApp);
//   - one per stream (stream.run), which has a connection of its own, and one per trigger that is with the app; one more
//     while it sends a large body.
//
// Unary calls share one connection per scheduler, of the type schedulers, behind its mutex.
//
// # When things fail
//
// No scheduler configured: calls fail at once. Configured and absent: calls wait for up to 30 s, and the API otherwise
// works. A scheduler that goes away: its streams reconnect, after a quarter to three quarters of a second, for ever;
// calls to the app go on meanwhile, though their answers have nowhere to go. A scheduler that leaves the list: its
// streams and their calls to the app are broken off at once, and API calls that it held move to another. Other
// schedulers' streams are untouched, and a list with the same hosts changes nothing.
//
// More calls than the API takes at once (maxCalls, and Config.MaxCallBytes for their bytes) are refused, over HTTP and gRPC
// alike; health and shutdown are not counted.
//
// An app that is down fails its triggers; one that hangs holds the data of each, and a goroutine for each that it can have
// at once. That is bounded over all streams, to maxInWork triggers and Config.MaxTriggerBytes: a stream that has its share
// and finds no more room receives nothing until a trigger ends, HTTP/2 flow control holds the rest back, and the scheduler
// gives them to others. Such a stream notices only then that its connection broke.
//
// Where descriptors, ports or memory are lacking, triggers wait, those bounds hold, and the app's health stays what it was.
//
// An app that says it is unhealthy is as good as a list without schedulers: its streams and its calls are broken off, and
// its jobs wait until it is healthy. The API goes on.
//
// When Run's context ends, and then whatever blocks the shutdown has passed, streams and calls to apps are broken off at
// once. API calls get a moment (drainTime) to finish, and are then broken off, too.
package sidecar
