// Package identity authenticates this process and its callers: with certificates that have SPIFFE
// ids, as in Dapr.
//
// A [Source] has a certificate and the trust anchors, and Run renews both: from Sentry, Dapr's
// certificate authority ([OpenSentry]), or from files ([OpenFiles]). [Source.Server] and
// [Source.Client] return the credentials of gRPC connections, and [Source.Peer] those between the
// nodes of a cluster. Each handshake uses the certificate of that moment, so that a renewal needs
// no restart and breaks no connection. [Source.Authorize] compares a request with the certificate
// of its connection.
//
// # What it promises
//
// A connection requires a certificate of the trust anchors on both sides, and TLS 1.3. A client
// accepts one SPIFFE id as the server; a server accepts any id, and a request only for the
// namespace and the app of that id. TLS sessions are not resumed: each connection is verified. The
// trust anchors count for every trust domain, as in Dapr, where workloads may be in another domain
// than the control plane: a CA below one of them can issue any id.
//
// A certificate is renewed after half of its lifetime. Its private key is an Ed25519 key that is
// generated here and never leaves the process, unless a part of the process reads it from files
// only ([Source.CopyTo]). Files are checked every ten seconds. If they cannot be read or do not
// match, that is logged, and the previous ones stay in use. Without a valid certificate no
// handshake succeeds, and [Source.Check] says why.
//
// A connection outlives the certificate that opened it, as in Dapr. To exclude a client at once,
// remove its trust anchor and restart the server.
package identity
