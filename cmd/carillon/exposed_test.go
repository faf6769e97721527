package main

import (
	"log/slog"
	"net"
	"slices"
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
		main, beside []plaintextEndpoint
		want         []string
	}{
		"nothing":         {nil, nil, nil},
		"loopback":        {[]plaintextEndpoint{endpointOf(here, "all")}, []plaintextEndpoint{endpointOf(v4, "numbers")}, nil},
		"all interfaces":  {[]plaintextEndpoint{endpointOf(all, "all")}, nil, []string{all.Addr().String() + ": all"}},
		"and what beside": {[]plaintextEndpoint{endpointOf(here, "this"), endpointOf(v4, "all")}, []plaintextEndpoint{endpointOf(all, "numbers"), endpointOf(nil, "none"), endpointOf(here, "none")}, []string{v4.Addr().String() + ": all; " + all.Addr().String() + ": numbers\""}},
	} {
		var text strings.Builder
		warnExposed(t.Context(), slog.New(slog.NewTextHandler(&text, nil)), c.main, c.beside)
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

func TestDevListensOnLoopbackOnly(t *testing.T) {
	std, _, _ := nowhere()
	fs, c := devFlags()
	if err := parseFlags(fs, devUsage, []string{"--dapr-http-port=0", "--dapr-grpc-port=0", "--port=0", "--management-port=0"}, std); err != nil {
		t.Fatal(err)
	}
	l, err := c.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, one := range slices.Concat(l.HTTP, l.GRPC, l.Scheduler, l.Management) {
		if a := one.Addr().(*net.TCPAddr); !a.IP.IsLoopback() {
			t.Errorf("it listens on %s", a)
		}
	}
}
