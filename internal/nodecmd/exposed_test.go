package nodecmd

import (
	"log/slog"
	"net"
	"strings"
	"testing"
)

func TestExposedPlaintextPortIsLogged(t *testing.T) {
	open := func(address string) net.Listener {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	all, v4, here := open(":0"), open("0.0.0.0:0"), open("127.0.0.1:0")
	for name, c := range map[string]struct {
		main, beside []PlaintextEndpoint
		want         []string
	}{
		"nothing":         {nil, nil, nil},
		"loopback":        {[]PlaintextEndpoint{EndpointOf(here, "all")}, []PlaintextEndpoint{EndpointOf(v4, "numbers")}, nil},
		"all interfaces":  {[]PlaintextEndpoint{EndpointOf(all, "all")}, nil, []string{all.Addr().String() + ": all"}},
		"and what beside": {[]PlaintextEndpoint{EndpointOf(here, "this"), EndpointOf(v4, "all")}, []PlaintextEndpoint{EndpointOf(all, "numbers"), EndpointOf(nil, "none"), EndpointOf(here, "none")}, []string{v4.Addr().String() + ": all; " + all.Addr().String() + ": numbers\""}},
	} {
		var text strings.Builder
		WarnExposed(t.Context(), slog.New(slog.NewTextHandler(&text, nil)), c.main, c.beside)
		if len(c.want) == 0 && text.Len() > 0 {
			t.Errorf("%s: %s", name, &text)
		}
		for _, want := range c.want {
			if !strings.Contains(text.String(), "level=WARN") || !strings.Contains(text.String(), want) {
				t.Errorf("%s: %s, want %q", name, &text, want)
			}
		}
	}
}
