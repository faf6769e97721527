// Package browser refuses what a web page in a browser sends to an HTTP server of this process that asks for no token.
//
// A browser sends what the page of any site has it send, to this host as well. Two things tell such requests from those
// of an app:
//
//   - A page of another site that changes something says so in Origin or Sec-Fetch-Site, which no app sends.
//   - A page whose own name was made to resolve to this host (DNS rebinding) is of the same origin to its browser, but
//     its name is in Host. So a [Guard] accepts exact names and addresses in Host: localhost, loopback addresses and
//     0.0.0.0 and ::, which lead to this host, the address that the connection came to, and what [Hosts] adds.
//
// A guard looks at Host where a browser can be the client: over loopback, in requests with Origin, and everywhere if
// [Hosts.Allowed] is given. Other hosts of the network reach a server by names that it cannot know, such as that of a
// service in Kubernetes. What is not defended by that: a page that reads over the network, at an address of this host
// that is not loopback, and sends no Origin.
//
// Servers of gRPC need no guard: browsers do not speak HTTP/2 without TLS.
package browser
