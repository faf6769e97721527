// Package kubernetes detects deleted namespaces of a Kubernetes cluster.
//
// It calls the API server with net/http only: it lists the namespaces, and then watches them.
// [Watcher.Run] calls a function once for each deleted namespace that it has seen before, and again
// until the function succeeds. A watch continues after the last event of the previous one, so no
// event is missed, even if the connection breaks. If the API server no longer has that version (410
// Gone), the namespaces are listed again. The list shows what was deleted meanwhile, unless it was
// created again. A namespace that was deleted before this process started is not detected: from
// outside, that looks like a wrong cluster.
//
// Responses are checked strictly, because jobs are deleted on their basis. A list must be a
// NamespaceList with a version on each page, and have the namespace default, which every cluster
// has. An event must be of a Namespace, with a version and a name. Anything else is an error. Each
// namespace whose jobs were deleted is logged at info.
//
// The API server is that of the pod, or of the current context of a kubeconfig. Tokens and
// certificates are read again for each connection, because Kubernetes rotates them. A kubeconfig
// that later names another API server is an error, because in another cluster our namespaces would
// be missing. An unreachable API server is logged once and retried: within a second, then two, and
// at most thirty. The same is true for watches that the API server refuses, or ends within five
// seconds; only a 410 Gone after a working watch is not logged.
package kubernetes
