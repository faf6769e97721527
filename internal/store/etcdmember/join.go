package etcdmember

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
)

// errLostData is the error of a member without data that the other members have known with data.
var errLostData = errors.New("the data directory is empty, but the other members know this member with data: if the data is lost, run 'carillon member replace' on the machine of another member, and start this one again")

// isExpected reports whether a cluster exists and expects a new member at this member's address.
func (c Config) isExpected(ctx context.Context) bool {
	if log, err := os.ReadDir(filepath.Join(c.Dir, "member", "wal")); err == nil && len(log) > 0 {
		return false // it has data
	}
	client := http.DefaultClient
	if c.TLS != nil {
		secure, err := c.TLS.client()
		if err != nil {
			return false // etcd gives a better error
		}
		t := &http.Transport{TLSClientConfig: secure}
		defer t.CloseIdleConnections()
		client = &http.Client{Transport: t}
	}
	own := c.Peers[c.Name]
	for name, peer := range c.Peers {
		if name == c.Name {
			continue
		}
		all, _ := membersOf(ctx, client, peer) // an error: it is down, or starting too
		for _, m := range all {
			if slices.Contains(m.URLs, own) && m.Name == "" {
				return true
			}
		}
	}
	return false
}
