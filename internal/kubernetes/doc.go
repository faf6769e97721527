// Package kubernetes tells when a namespace of a Kubernetes cluster is gone.
//
// It speaks to the API server with nothing but net/http: it lists the namespaces, and then watches them. [Watcher.Run]
// calls a function once for each namespace that was there and is gone, by its exact name; if that fails, again until it
// does not. What was deleted while nobody watched is found by the next list, if the namespace was seen before by this
// process; what was gone when the process began is not, because from outside that looks like the wrong cluster.
//
// The API server is the one of the pod, or the one that a kubeconfig says is current. Tokens and certificates are read anew for
// each connection, as Kubernetes replaces them; but a kubeconfig that names another API server by then is not followed,
// because in another cluster our namespaces would seem to be gone. When the API server cannot be reached, that is logged
// once and tried again, after a second, then two, and at most thirty.
package kubernetes
