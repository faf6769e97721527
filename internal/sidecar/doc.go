// Package sidecar is the sidecar of an app: it serves Dapr's jobs API to a user's program, and
// delivers triggers to the user's app. It stores nothing: jobs are in the scheduler, and what is
// lost here is delivered again from there.
//
// This package reads the configuration, and puts the parts together. The work is in the packages
// below, each of which states its own promises:
//
//   - apiserver serves the API over HTTP and gRPC;
//   - delivery receives triggers from schedulers, and delivers them to apps;
//   - schedulerclient keeps the list of schedulers, and calls them;
//   - appclient calls apps, and checks their health;
//   - daprmetrics, daprlog and pause are what these have in common.
//
// apiserver and delivery know nothing of each other; both use schedulerclient, and delivery uses
// appclient. The tests of the whole are here.
//
// # Who owns what
//
// [Sidecar.Run] starts every goroutine, and returns when all have ended: the API's servers; one
// that watches the list of schedulers; and for each app one that delivers its triggers.
//
// # When things fail
//
// Without a configured scheduler, calls of the API fail at once. While no scheduler is reachable,
// calls wait for connectTimeout and then fail; the rest of the API works.
//
// If a scheduler goes away, its streams reconnect after a quarter to three quarters of a second,
// and retry for ever. Calls to the app go on meanwhile; their answers are lost. If a scheduler
// leaves the list, its streams and their calls to the app are canceled at once, and API calls that
// wait for it move to another. The streams of other schedulers are untouched.
//
// An app that reports that it is unhealthy has no streams: its calls are canceled, and its jobs
// wait until it is healthy. The API goes on.
//
// When Run's context ends, and then whatever blocks the shutdown has passed, streams and calls to
// apps are canceled at once. API calls have a moment (half a second) to finish, and are then
// canceled.
package sidecar
