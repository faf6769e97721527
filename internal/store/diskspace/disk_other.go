//go:build !unix

package diskspace

import "errors"

// Of cannot say how much is left on a disk here.
func Of(string) (Usage, error) { return Usage{}, errors.ErrUnsupported }
