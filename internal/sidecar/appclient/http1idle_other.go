//go:build !unix

package appclient

import "net"

// idleCheck returns a function that reports true: this system has no such check.
func idleCheck(net.Conn) func() bool { return func() bool { return true } }
