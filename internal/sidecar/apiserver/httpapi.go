package apiserver

// An httpAPI is the HTTP API. Its handlers are methods in the files http*.go.
type httpAPI struct {
	auth      *authenticator
	targets   targetResolver
	jobs      *jobService
	metadata  *metadataService
	shutdowns shutdownRequests
	readiness *Readiness
	check     func() error // see Config.Check
	calls     *callLimit
	bodies    bodyReader
}
