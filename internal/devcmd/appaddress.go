package devcmd

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"carillon/internal/sidecar"
)

// parseApp parses ID=URL.
func parseApp(text string) (sidecar.App, error) {
	id, address, ok := strings.Cut(text, "=")
	if !ok {
		return sidecar.App{}, errors.New("it is not of the form ID=URL, such as mail=http://127.0.0.1:6000")
	}
	if err := checkAppID(id); err != nil {
		return sidecar.App{}, err
	}
	u, err := url.Parse(address)
	switch {
	case address != "" && !strings.Contains(address, "://"):
		return sidecar.App{}, fmt.Errorf("%q has no protocol: write %s=http://%s", address, id, address)
	case err != nil:
		return sidecar.App{}, err
	case u.Scheme == "":
		return sidecar.App{}, fmt.Errorf("%q is not a URL, such as http://127.0.0.1:6000", address)
	case !slices.Contains([]string{"http", "https", "h2c", "grpc", "grpcs"}, u.Scheme):
		return sidecar.App{}, fmt.Errorf("protocol %q is unknown: use http, https, h2c, grpc or grpcs", u.Scheme)
	case u.Port() == "" || u.Hostname() == "":
		return sidecar.App{}, fmt.Errorf("%q needs a host and a port, such as http://127.0.0.1:6000", address)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil:
		return sidecar.App{}, fmt.Errorf("%q has more than a protocol, a host and a port: remove the rest", address)
	}
	return sidecar.App{ID: id, Protocol: u.Scheme, Address: u.Host}, nil
}

// checkAppID checks Dapr's rules for app ids (sidecar specification §5.1).
func checkAppID(id string) error {
	switch {
	case id == "":
		return errors.New("the app id is empty")
	case strings.Contains(id, "."):
		return fmt.Errorf("the app id %q contains a dot", id)
	}
	return nil
}
