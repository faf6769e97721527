package sidecar

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
)

// isLocal reports whether err says that this process or its machine lacks what a call needs, such as a file descriptor,
// a port or memory, or has broken the call off itself. It says nothing about the app then, and the call may work later.
func isLocal(err error) bool {
	if errors.Is(err, context.Canceled) {
		return true
	}
	// A failed look-up keeps only the text of why.
	lookup, isLookup := errors.AsType[*net.DNSError](err)
	for _, local := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ENOSPC, // of memory for epoll: epoll_ctl(2)
	} {
		if errors.Is(err, local) || isLookup && strings.Contains(lookup.Err, local.Error()) {
			return true
		}
	}
	return false
}
