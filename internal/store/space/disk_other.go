//go:build !unix

package space

import "errors"

// Of cannot say how much is left on a disk here.
func Of(string) (Usage, error) { return Usage{}, errors.ErrUnsupported }
