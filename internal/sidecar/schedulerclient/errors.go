package schedulerclient

import (
	"errors"
	"fmt"
	"strings"

	"carillon/internal/wire"
)

// Dapr's texts, which users see, with our help.
var (
	errDisabled error = &wire.HelpfulError{
		Text: "scheduler clients are disabled",
		Help: "this sidecar has no scheduler: start it with --scheduler-host-address, such as localhost:50006",
	}
	errNoHosts error = &wire.HelpfulError{
		Text: "no scheduler client initialized",
		Help: "the scheduler of --scheduler-host-address says that there is no scheduler: its log says more",
	}
	errClosed = errors.New("the sidecar is stopping")
)

// unreachable returns the error of a call that reached no scheduler at these addresses.
func unreachable(addresses ...string) error {
	return &wire.UnreachableError{Text: fmt.Sprintf(
		"no scheduler could be reached at %s within %v: start it, or correct --scheduler-host-address",
		strings.Join(addresses, ", "), connectTimeout,
	)}
}
