package app

import (
	"errors"
	"net"
)

// closeAll closes the listeners that are not nil.
func closeAll(listeners ...net.Listener) error {
	var err error
	for _, l := range listeners {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}
