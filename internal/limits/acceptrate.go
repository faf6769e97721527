package limits

import (
	"net"
	"time"
)

// AcceptRate returns a listener that accepts at most perSecond connections of l a second, with a
// burst of as many after an idle second. Further connections wait in the backlog of the operating
// system. To accept a connection costs more than a call, with TLS or without, and the rate keeps
// that cost from existing connections. Only one goroutine may call Accept.
func AcceptRate(l net.Listener, perSecond int) net.Listener {
	return &rateListener{Listener: l, rate: float64(perSecond), tokens: float64(perSecond)}
}

type rateListener struct {
	net.Listener
	rate   float64
	tokens float64 // of a token bucket, as of at; a connection takes one
	at     time.Time
}

// Accept waits for the next connection, and for its token.
func (l *rateListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for {
		now := time.Now()
		l.tokens, l.at = min(l.rate, l.tokens+now.Sub(l.at).Seconds()*l.rate), now
		if l.tokens >= 1 {
			l.tokens--
			return c, nil
		}
		t := time.NewTimer(time.Duration((1 - l.tokens) / l.rate * float64(time.Second)))
		<-t.C
	}
}
