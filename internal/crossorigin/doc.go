// Package crossorigin protects HTTP servers of this process that require no token against web pages
// in a browser: against cross-site request forgery and DNS rebinding.
//
// A browser sends requests of pages of any site, to this host as well. They differ from those of an
// app:
//
//   - A page of another site sends Origin or Sec-Fetch-Site with a request that changes something. No
//     app does.
//   - In DNS rebinding the name of the page resolves to this host, so that the request has the same
//     origin for the browser. But that name is in Host. So a [Protection] accepts exact names and
//     addresses in Host: localhost, loopback addresses, 0.0.0.0 and ::, which reach this host, the local
//     address of the connection, and those of [Hosts].
//
// A protection checks Host where the client may be a browser: over loopback, and in requests with
// Origin; and everywhere if [Hosts.Allowed] is set. Other hosts of the network reach a server by
// names that it cannot know, such as that of a service in Kubernetes. So one case is not covered: a
// page that reads over the network, from an address of this host that is not loopback, without
// Origin.
//
// gRPC servers need no protection: browsers do not speak HTTP/2 without TLS.
package crossorigin
