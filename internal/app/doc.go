// Package app builds a node from its configuration and runs it.
//
// A role is what a node stands in for. [OpenScheduler] builds a drop-in replacement for Dapr's
// Scheduler service and [OpenSidecar] one for daprd. [OpenAllInOne] builds both in one process; they
// then speak the usual protocol over in-memory connections. Each role has a file of that name.
//
// The method open of a role shows what happens before the node runs, and the method components what runs,
// from first to last. [Node.Run] starts and stops them.
//
// A node is a list of components, in dependency order: the store, the engine, the Scheduler service,
// and above them everything that sends it calls. All components run at once, and stop one by one in
// reverse order: the Scheduler service ends its streams, then the engine records the deliveries
// that are complete, then the store closes. When one component fails, the node stops in the same order
// and returns the error of that component.
package app
