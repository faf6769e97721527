package devcmd

import (
	"net"
	"slices"
	"testing"
)

func TestDevListensOnLoopbackOnly(t *testing.T) {
	o := devOptions{} // a port of 0 is a free one
	l, err := o.listen(t.Context())
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
