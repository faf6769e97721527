package appclient

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
)

// isLocal reports whether err was caused by this process or its machine, not by the app: a lack of
// file descriptors, ports or memory, or a canceled call. The call may succeed later.
func isLocal(err error) bool {
	if errors.Is(err, context.Canceled) {
		return true
	}
	// A DNS error keeps only the text of its cause.
	lookup, isLookup := errors.AsType[*net.DNSError](err)
	for _, local := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ENOSPC, // from epoll_ctl(2), which lacks memory
	} {
		if errors.Is(err, local) || isLookup && strings.Contains(lookup.Err, local.Error()) {
			return true
		}
	}
	return false
}
