//go:build !unix

package descriptors

// Limit returns how many descriptors the process may have open, or Unlimited.
func Limit() int { return Unlimited }
