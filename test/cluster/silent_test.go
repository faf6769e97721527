//go:build linux

package cluster

import (
	"io"
	"net"
	"strconv"
	"testing"
	"time"
)

func TestNodeStopsWithOpenConnections(t *testing.T) {
	long(t)
	c := newCluster(t, 3)
	n := c.nodes[0]
	var open []net.Conn
	for _, port := range []int{n.port, n.health, n.metrics, n.client, n.peer} {
		for _, text := range []string{
			"", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
			"POST / HTTP/1.1\r\nHo", "POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 100\r\n\r\n{", "GET / HTTP/1.1\r\nHost: node\r\n\r\n",
		} {
			conn, err := net.Dial("tcp", net.JoinHostPort(n.host, strconv.Itoa(port)))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			open = append(open, conn)
		}
	}
	took := n.stop() // which holds that it ends with 0
	logf(t, "a stop with %d connections open took %v", len(open), took)
	if took > 10*time.Second {
		t.Errorf("a node with %d connections open stopped after %v, want 10 s at most", len(open), took)
	}
}
