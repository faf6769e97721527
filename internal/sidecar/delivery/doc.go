// Package delivery receives triggers from schedulers and delivers them to apps.
//
// # What it promises
//
// Every trigger that arrives is answered once: handled, or failed. A trigger whose call this
// process canceled is not answered, so the scheduler delivers it again. A call that a local error
// prevented is made again until it succeeds or the stream ends: it never counts as the app's
// failure.
//
// The triggers in flight are limited over all streams, in number (maxTriggers) and bytes. A stream
// that has its share, and finds no capacity left, receives nothing until a trigger ends. HTTP/2
// flow control then holds the rest back, and the scheduler sends it to others. Such a stream
// notices only then that its connection broke.
//
// An app that is down fails its triggers. If file descriptors, ports or memory are lacking,
// triggers wait, those limits hold, and the app's health does not change.
//
// # Where to read
//
// A trigger:
//
//	deliverer.go     Deliverer.Run keeps the streams of an app open
//	stream.go        stream.receive receives the trigger, within triggerlimit.go
//	workers.go       a worker takes it, as soon as one is free
//	stream.go        stream.deliver calls the app; answerSender.send answers the scheduler
//
// The call itself is in [carillon/internal/sidecar/appclient]. metrics.go counts attempts.
//
// # Who owns what
//
// [Deliverer.Run] runs for each app, and starts: its health checker; a fixed number of streams to
// each host of the schedulers' list, while the app is healthy; and for each stream the workers that
// call the app. All have ended when Run returns. If a host leaves the list, or the app becomes
// unhealthy, its streams and their calls to the app are canceled at once. If a connection breaks,
// the stream reconnects, and calls to the app go on.
package delivery
