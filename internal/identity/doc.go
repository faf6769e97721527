// Package identity is who this process is, and who calls it: certificates with SPIFFE ids, as Dapr has them.
//
// A [Source] holds a certificate and the trust anchors, and keeps both up to date while its Run runs: from Sentry, Dapr's
// certificate authority ([OpenSentry]), or from files ([OpenFiles]). [Source.Server] and [Source.Client] are what gRPC
// connections are secured with ([Source.Peer] among the nodes of a cluster); each handshake takes the certificate of that moment, so that a renewal needs no restart
// and breaks no connection. [Source.Authorize] holds a request against the certificate that its connection showed.
//
// # What it promises
//
// A connection stands only between two that have shown each other a certificate of the trust anchors, over TLS 1.3. A
// client checks that the server is one SPIFFE id and no other; a server admits any id, and a request is admitted only if
// it is about the namespace and the app of that id. Sessions are not resumed: each connection is checked anew. Trust
// anchors are those of every trust domain, as in Dapr, where workloads need not be of the control plane's: who can sign
// with one of them decides who is who.
//
// A certificate is renewed after half of its life; its private key is Ed25519, made here, and never leaves the process,
// unless a part of that takes it from files alone ([Source.CopyTo]).
// A file is looked at every ten seconds. What cannot be read then, or does not fit together, is logged, and what was
// there before goes on. Without a valid certificate no handshake succeeds, and [Source.Check] says why.
//
// A connection outlives the certificate that opened it, as in Dapr: whoever must be shut out at once is shut out by taking
// its anchor away and restarting the server.
package identity
