// Package kubernetes tells when a namespace of a Kubernetes cluster is gone.
//
// It speaks to the API server with nothing but net/http: it lists the namespaces, and then watches them. [Watcher.Run]
// calls a function once for each namespace that was there and is gone, by its exact name; if that fails, again until it
// does not. What was deleted while nobody watched is found by the next list, if the namespace was seen before by this
// process; what was gone when the process began is not, because from outside that looks like the wrong cluster.
//
// The token and the certificates of the API server are read anew for each connection, as Kubernetes replaces them. When the
// API server cannot be reached, that is logged once and tried again, after a second, then two, and at most thirty.
package kubernetes
