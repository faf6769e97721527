package limits

import (
	"net"
	"time"
)

// Pace returns l, from which so many connections are taken in a second, and as many at once after a second without any.
// Others wait in the queue of the system: to let one in costs more than a call, TLS or not, and those who are in are not
// to notice. It is for one goroutine that accepts.
func Pace(l net.Listener, perSecond int) net.Listener {
	return &pace{Listener: l, rate: float64(perSecond), places: float64(perSecond)}
}

type pace struct {
	net.Listener
	rate   float64
	places float64 // for connections that may be taken, as of at
	at     time.Time
}

// Accept waits for the next connection, and until it may be taken.
func (p *pace) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for {
		now := time.Now()
		p.places, p.at = min(p.rate, p.places+now.Sub(p.at).Seconds()*p.rate), now
		if p.places >= 1 {
			p.places--
			return c, nil
		}
		t := time.NewTimer(time.Duration((1 - p.places) / p.rate * float64(time.Second)))
		<-t.C
	}
}
