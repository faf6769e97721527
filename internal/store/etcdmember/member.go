package etcdmember

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"carillon/internal/store/datadir"
	"carillon/internal/store/diskspace"
)

// A Member is one member of an etcd cluster.
type Member struct {
	isExpected func(context.Context) bool  // whether a cluster expects the member
	waitTLS    func(context.Context) error // until its certificate is there, and good
	config     *embed.Config
	log        *slog.Logger
	diskSpace  *diskspace.Watch

	kv      kv
	dataDir atomic.Pointer[dataDir]    // nil before it has started
	running atomic.Pointer[embed.Etcd] // nil before it has started

	stopping atomic.Bool   // then errors are what stopping looks like
	failed   chan struct{} // closed once err is set
	once     sync.Once     // sets err
	err      error
}

// New returns the member that cfg describes. It does nothing until it runs.
func New(cfg Config, log *slog.Logger) (*Member, error) {
	if u, err := diskspace.Of(cfg.Dir); err == nil {
		cfg = cfg.withDiskLimits(u)
	}
	ec, err := cfg.embedConfig()
	if err != nil {
		return nil, fmt.Errorf("configure the member of etcd: %w", err)
	}
	m := &Member{isExpected: cfg.isExpected, waitTLS: cfg.waitTLS, config: ec, failed: make(chan struct{}), log: log.With(slog.String("component", "etcd"))}
	m.kv.checkPresent = m.checkPresent
	m.diskSpace = diskspace.New(func() (diskspace.Usage, error) { return diskspace.Of(cfg.Dir) }, m.log)
	ec.ZapLoggerBuilder = embed.NewZapLoggerBuilder(m.logger())
	if err := ec.Validate(); err != nil {
		return nil, fmt.Errorf("configure the member of etcd: %w", err)
	}
	return m, nil
}

// Full returns why nothing new should be stored, because the member's disk has too little left for that, or nil: see
// [diskspace.Watch]. When there is none left at all, the member fails.
func (m *Member) Full() error { return m.diskSpace.Full() }

const (
	// stopWait is how long a member that has failed may take to let its folder go, and goneWait is it for one whose folder is
	// gone.
	failedStopTimeout   = 5 * time.Second
	replacedStopTimeout = time.Second
	// closeWait is how long a member that has let its folder go may take to close its connections. Etcd waits without an end
	// for one that says nothing.
	closeTimeout = 100 * time.Millisecond
)

// Run serves until ctx ends, and then returns nil; or until the member fails. It is to be called once.
func (m *Member) Run(ctx context.Context) (err error) {
	own, err := lockDir(m.config.Dir)
	if err != nil {
		return fmt.Errorf("start the member of etcd in %q: %w", m.config.Dir, err)
	}
	defer func() { err = errors.Join(err, own.close()) }()
	if err := m.waitTLS(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("start the member of etcd in %q: %w", m.config.Dir, err)
	}
	if m.isExpected(ctx) {
		m.config.ClusterState = embed.ClusterStateFlagExisting
	}
	e, err := embed.StartEtcd(m.config)
	if err != nil {
		if strings.Contains(err.Error(), "already been bootstrapped") {
			err = errLostData
		}
		return fmt.Errorf("start the member of etcd in %q: %w", m.config.Dir, err)
	}
	m.running.Store(e)
	if err := own.watch(); err != nil {
		m.fail(err)
	}
	m.dataDir.Store(own)
	serving, end := context.WithCancel(ctx)
	var served sync.WaitGroup
	served.Go(func() { m.kv.serve(serving, e) })
	served.Go(func() { m.announce(serving, e.Server) })
	defer served.Wait()
	defer end()
	err = m.wait(ctx, e)
	m.stopping.Store(true)
	end()
	letGo, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		// It ends the streams of clients, for which Close would wait five seconds. Stop would first have another member
		// lead, for as long; Yield has, if there is one.
		e.Server.HardStop()
		close(letGo)
		e.Close()
	}()
	wait := failedStopTimeout
	if err == nil {
		<-letGo
		wait = closeTimeout
	}
	if errors.Is(err, datadir.ErrReplaced) {
		wait = replacedStopTimeout
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select { // one that has failed may not be able to stop
	case <-stopped:
	case <-timer.C:
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, datadir.ErrReplaced):
		return fmt.Errorf("the member of etcd in %q has failed: %w; if the data is lost, the other members have it: run 'carillon member replace' on the machine of one", m.config.Dir, err)
	}
	return fmt.Errorf("the member of etcd in %q has failed, what it acknowledged is safe; make room on its disk or mend it, and start it again: %w", m.config.Dir, err)
}

// wait returns why e or the member can go on no longer, or nil when ctx ends. Once a second it looks whether the folder is
// still where it was opened.
func (m *Member) wait(ctx context.Context, e *embed.Etcd) error {
	look := time.NewTicker(datadir.Interval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-e.Err():
			return err
		case <-e.Server.StopNotify():
			return errors.New("it has stopped: another member may have removed it from the cluster")
		case <-m.failed:
			return m.err
		case <-look.C:
			if err := m.dataDir.Load().guard.Check(); err != nil {
				m.fail(err)
			}
		}
	}
}

// present fails the member if its folder is no longer where it was opened, and returns why.
func (m *Member) checkPresent() error {
	err := m.dataDir.Load().guard.CheckLock()
	if err != nil {
		m.fail(err)
	}
	return err
}

// yieldTime is how long other members may take to lead, all of them together.
const yieldTimeout = 500 * time.Millisecond

// Yield has another member lead, if it is this one that does. It is for who is about to stop: what goes through the leader
// then is not held up by its end. It returns soon, whether or not there is another.
func (m *Member) YieldLeadership(ctx context.Context) {
	e := m.running.Load()
	if e == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, yieldTimeout)
	defer cancel()
	own := e.Server.MemberID()
	for _, other := range e.Server.Cluster().Members() {
		if e.Server.Leader() != own {
			return
		}
		if other.ID == own || other.IsLearner {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, yieldTimeout/2) // the first may be gone
		err := e.Server.MoveLeader(bounded, uint64(own), uint64(other.ID))
		cancel()
		m.log.LogAttrs(ctx, slog.LevelDebug, "another member of etcd is to lead", slog.String("member", other.Name), slog.Any("err", err))
	}
}

// leaderless is how long there is no leader before it is said that there is none: an election takes less if there is a
// majority.
const noLeaderTime = 500 * time.Millisecond

// AwaitNoLeader waits until the member has known no leader for a while, or ctx ends. It reports whether there is none.
func (m *Member) WaitNoLeader(ctx context.Context) bool {
	tick := time.NewTicker(noLeaderTime / 10)
	defer tick.Stop()
	for since := time.Now(); time.Since(since) < noLeaderTime; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
		if e := m.running.Load(); e == nil || e.Server.Leader() != 0 {
			since = time.Now()
		}
	}
	return true
}

// fail notes why the member cannot go on. The first reason stays.
func (m *Member) fail(err error) {
	m.once.Do(func() {
		m.err = err
		close(m.failed)
	})
}
