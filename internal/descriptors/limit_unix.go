//go:build unix

package descriptors

import (
	"math"
	"syscall"
)

// Limit returns the limit of open descriptors of the process, or Unlimited.
func Limit() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) >= math.MaxInt { //nolint:unconvert // it is signed on FreeBSD
		return Unlimited
	}
	return int(l.Cur)
}
