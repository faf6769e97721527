package main

import (
	"context"
	"log/slog"
	"net"
	"strings"
)

// A way is what whoever reaches a listener can do there, over plaintext.
type way struct {
	listener net.Listener
	leads    string // to what
}

// warnOfWays says which ways are open to others than this host. Those in main are worth a warning; beside, only a word in
// it.
func warnOfWays(ctx context.Context, log *slog.Logger, main, beside []way) {
	open := opened(main)
	if len(open) == 0 {
		return
	}
	open = append(open, opened(beside)...)
	log.LogAttrs(ctx, slog.LevelWarn, "plaintext ports are open to the network", slog.String("reachable", strings.Join(open, "; ")))
}

// opened describes those ways that others than this host can take.
func opened(ways []way) []string {
	var all []string
	for _, w := range ways {
		if w.listener == nil {
			continue
		}
		if a, ok := w.listener.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
			all = append(all, w.listener.Addr().String()+": "+w.leads)
		}
	}
	return all
}
