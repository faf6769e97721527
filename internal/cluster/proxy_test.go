package cluster_test

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// A proxy passes connections on to a server, and can hold all that is on its way: so it seems to a node that is paused,
// and to the rest of the cluster.
type proxy struct {
	addr string
	held sync.RWMutex // locked for as long as nothing may pass
}

// newProxy returns a proxy before the server at url, until the test ends.
func newProxy(t *testing.T, url string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: "http://" + l.Addr().String()}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			conns = append(conns, in, out)
			mu.Unlock()
			all.Go(func() { p.pass(in, out) })
			all.Go(func() { p.pass(out, in) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return p
}

func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	for b := make([]byte, 64<<10); ; {
		n, err := from.Read(b)
		p.held.RLock()
		_, writeErr := to.Write(b[:n])
		p.held.RUnlock()
		if err != nil || writeErr != nil {
			return
		}
	}
}
