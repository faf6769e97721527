//go:build !unix

package descriptors

// Limit returns the limit of open descriptors of the process, or Unlimited.
func Limit() int { return Unlimited }
