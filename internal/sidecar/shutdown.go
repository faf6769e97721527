package sidecar

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// answerTime is how long the answer to whoever asked for the end has to get out, before the process learns of it.
const answerTime = 100 * time.Millisecond

// forceHeader is the header, or the key of metadata, that makes a shutdown forced if its value is true.
const forceHeader = "dapr-force-shutdown"

// shutdowns are requests to end the process. Each channel holds one that waits; more of the same add nothing.
type shutdowns struct {
	orderly, forced chan struct{}
}

func newShutdowns() shutdowns { return shutdowns{make(chan struct{}, 1), make(chan struct{}, 1)} }

// ask returns at once.
func (s shutdowns) ask(forced bool) {
	to := s.orderly
	if forced {
		to = s.forced
	}
	select {
	case to <- struct{}{}:
	default:
	}
}

// passShutdowns tells the process what clients asked for, until ctx ends.
func (s *Sidecar) passShutdowns(ctx context.Context) {
	for {
		forced := false
		select {
		case <-s.shutdowns.orderly:
		case <-s.shutdowns.forced:
			forced = true
		case <-ctx.Done():
			return
		}
		say(ctx, s.log, "Shutdown requested via API")
		if forced {
			say(ctx, s.log, "Force shutdown requested, exiting immediately without graceful shutdown")
		}
		pause(ctx, answerTime, answerTime)
		if s.cfg.Shutdown != nil {
			s.cfg.Shutdown(forced)
		}
	}
}

func (s *Sidecar) postShutdown(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusNoContent)
	s.shutdowns.ask(strings.EqualFold(r.Header.Get(forceHeader), "true"))
}
