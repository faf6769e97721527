package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
)

// A sidecar is a sidecar under test, with its app.
type sidecar struct {
	host    string
	app     string
	process process // of the sidecar, and perhaps of the scheduler
	child   *child  // nil if it was already running
	dir     string
	callers []*httpLoadCaller
	*httpApp
	ended <-chan error // of the app
	end   context.CancelFunc
}

// startSidecar starts a sidecar without jobs, or returns the running one of the configuration. Its
// app is in this process.
func (b *bench) startSidecar(ctx context.Context) (*sidecar, error) {
	l, err := listenApp(ctx, b.cfg.AppPort)
	if err != nil {
		return nil, err
	}
	s := &sidecar{app: b.cfg.AppID, process: process(b.cfg.PID), httpApp: &httpApp{port: l.Addr().(*net.TCPAddr).Port}}
	if b.cfg.Sidecar == "" {
		err = b.startDev(ctx, s)
	} else {
		var u *url.URL
		if u, err = url.Parse(b.cfg.Sidecar); err == nil {
			s.host = u.Host
		}
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.callers = httpCallers(b.cfg.Callers, s.host)
	serving, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	s.ended, s.end = ended, end
	go func() { ended <- s.serve(serving, l) }()
	return s, nil
}

// startDev starts a sidecar and a scheduler in one process.
func (b *bench) startDev(ctx context.Context, s *sidecar) (err error) {
	s.app = b.newApp()
	if s.dir, err = b.newDir("dev"); err != nil {
		return err
	}
	s.child, err = b.startCarillon(ctx, []string{`HTTP API +http://\S+:(\d+)`}, "dev", "--dapr-http-port", "0", "--dapr-grpc-port", "0",
		"--port", "0", "--data-dir", s.dir, "--app", fmt.Sprintf("%s=http://127.0.0.1:%d", s.app, s.port))
	if err != nil {
		return err
	}
	s.process, s.host = s.child.process(), "127.0.0.1:"+s.child.matches[0]
	return nil
}

func (s *sidecar) stop() error {
	closeAll(s.callers)
	var err error
	if s.child != nil {
		err = errors.Join(s.child.stop(), os.RemoveAll(s.dir))
	}
	s.end()
	return errors.Join(err, <-s.ended)
}

// cleanUp deletes the job from a sidecar that was already running.
func (s *sidecar) cleanUp(ctx context.Context, caller int, name string) error {
	if s.child != nil {
		return nil
	}
	_, err := s.callers[caller].do(ctx, http.MethodDelete, name, s.app, nil)
	return err
}
