package schedulercmd

import (
	"net"
	"testing"

	"carillon/internal/terminal"
)

func TestAdvertisedAddressIsReachable(t *testing.T) {
	for _, c := range []struct {
		listen, override, env, want string
	}{
		{"127.0.0.1", "", "10.0.0.9", "127.0.0.1:7"},
		{"localhost", "", "10.0.0.9", "localhost:7"},
		{"::1", "", "10.0.0.9", "[::1]:7"},
		{"[::1]", "", "10.0.0.9", "[::1]:7"},
		{"", "", "10.0.0.9", "10.0.0.9:7"},
		{"0.0.0.0", "", "10.0.0.9", "10.0.0.9:7"},
		{"", "", "fd00::9", "[fd00::9]:7"},
		{"127.0.0.1", "scheduler.example:50006", "10.0.0.9", "scheduler.example:50006"},
	} {
		cfg := schedulerOptions{listenAddress: c.listen, broadcast: c.override}
		env := func(name string) (string, bool) { return c.env, name == "DAPR_HOST_IP" }
		if got := cfg.advertisedAddress(t.Context(), 7, &terminal.Streams{Env: env}); got != c.want {
			t.Errorf("listening on %q, told %q, DAPR_HOST_IP=%s: %q, want %q", c.listen, c.override, c.env, got, c.want)
		}
	}
}

// TestWidestReachingAddressIsChosen repeatedly removes the best address of a host.
func TestWidestReachingAddressIsChosen(t *testing.T) {
	order := []string{"198.51.100.1/24", "2001:db8::2/64", "100.64.0.1/10", "fd00::1/8", "fe80::1/64", "127.0.0.1/8"}
	for i, want := range order {
		var own []net.Addr
		for _, text := range order[i:] {
			ip, network, err := net.ParseCIDR(text)
			if err != nil {
				t.Fatal(err)
			}
			own = append([]net.Addr{&net.IPNet{IP: ip, Mask: network.Mask}}, own...)
		}
		if got := best(own); got+want[len(got):] != want {
			t.Errorf("of %v the best is %s, want %s", own, got, want)
		}
	}
	if got := best(nil); got != "127.0.0.1" {
		t.Errorf("a host without addresses is told as %s", got)
	}
}
