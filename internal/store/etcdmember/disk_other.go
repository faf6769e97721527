//go:build !unix

package etcdmember

import "errors"

// free cannot say how many bytes the disk that holds dir has left.
func free(string) (uint64, error) { return 0, errors.ErrUnsupported }
