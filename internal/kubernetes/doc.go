// Package kubernetes tells when a namespace of a Kubernetes cluster is gone.
//
// It speaks to the API server with nothing but net/http: it lists the namespaces, and then watches them. [Watcher.Run]
// calls a function once for each namespace that was there and is gone, by its exact name; if that fails, again until it
// does not. A watch goes on after the last event of the one before, so nothing happens unseen between two of them, also
// where the connection breaks. Only when the API server does not know that version any more (410 Gone) are the namespaces
// listed again; what was deleted in between is found by the list, if the namespace was seen before by this process and has
// not been created again. What was gone when the process began is not found, because from outside that looks like the
// wrong cluster.
//
// Answers are doubted, since jobs are deleted on their word: a list has to be a NamespaceList with a version on each page, and
// to have the namespace default, which no cluster is without; an event has to be of a Namespace, with a version and a name.
// Of all else nothing is believed. Each namespace whose jobs were deleted is logged, at info.
//
// The API server is the one of the pod, or the one that a kubeconfig says is current. Tokens and certificates are read anew for
// each connection, as Kubernetes replaces them; but a kubeconfig that names another API server by then is not followed,
// because in another cluster our namespaces would seem to be gone. When the API server cannot be reached, that is logged
// once and tried again, within a second, then two, and at most thirty. So it is with watches that the API server ends
// within five seconds, or never begins; only a 410 Gone after a watch that has worked is not logged.
package kubernetes
