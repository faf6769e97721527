package nodecmd

import (
	"errors"
	"os"
)

// ErrForced is why a node ends when a client requests a forced shutdown.
var ErrForced = errors.New("a client requested a forced shutdown")

// SignalError is the cause of a context that a signal ended.
type SignalError struct{ os.Signal }

func (e SignalError) Error() string { return "received the signal " + e.String() }
