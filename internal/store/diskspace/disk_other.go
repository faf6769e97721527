//go:build !unix

package diskspace

import "errors"

// Of returns the usage of the disk that has the directory, or will have it.
func Of(string) (Usage, error) { return Usage{}, errors.ErrUnsupported }
