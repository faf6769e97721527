package etcdmember

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"carillon/internal/store/datadir"
	"carillon/internal/store/diskspace"
)

// New returns the member of cfg. It does nothing until Run.
func New(cfg Config, log *slog.Logger) (*Member, error) {
	if u, err := diskspace.Of(cfg.Dir); err == nil {
		cfg = cfg.withDiskLimits(u)
	}
	ec, err := cfg.embedConfig()
	if err != nil {
		return nil, fmt.Errorf("configure the etcd member: %w", err)
	}
	m := &Member{isExpected: cfg.isExpected, waitTLS: cfg.waitTLS, config: ec, failed: make(chan struct{}), log: log.With(slog.String("component", "etcd"))}
	m.kv.checkPresent = m.checkPresent
	m.diskSpace = diskspace.New(func() (diskspace.Usage, error) { return diskspace.Of(cfg.Dir) }, m.log)
	m.heapSpace = newHeapSpace(cfg.MaxHeap, m.log)
	ec.ZapLoggerBuilder = embed.NewZapLoggerBuilder(m.logger())
	if err := ec.Validate(); err != nil {
		return nil, fmt.Errorf("configure the etcd member: %w", err)
	}
	return m, nil
}

// Full returns why no new jobs should be stored because of the member's disk, or of the memory of
// the process, or nil: see [diskspace.Watch] and [Config.MaxHeap]. When the disk is completely full,
// the member fails.
func (m *Member) Full() error { return cmp.Or(m.diskSpace.Full(), m.heapSpace.full()) }

// DiskUsage returns the free space and the size of the disk of the member.
func (m *Member) DiskUsage() (diskspace.Usage, error) { return diskspace.Of(m.config.Dir) }

const (
	// failedStopTimeout is how long a failed member may take to close its data directory;
	// replacedStopTimeout is the same for a member whose directory is gone.
	failedStopTimeout   = 5 * time.Second
	replacedStopTimeout = time.Second
	// closeTimeout is how long a member may take to close its connections after its data directory.
	// Etcd waits without a limit for idle ones.
	closeTimeout = 100 * time.Millisecond
)

// Run serves until ctx ends, and then returns nil; or until the member fails. It must be called
// once.
func (m *Member) Run(ctx context.Context) (err error) {
	own, err := lockDir(m.config.Dir)
	if err != nil {
		return fmt.Errorf("start the etcd member in %q: %w", m.config.Dir, err)
	}
	defer func() { err = errors.Join(err, own.close()) }()
	if err := m.waitTLS(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("start the etcd member in %q: %w", m.config.Dir, err)
	}
	if m.isExpected(ctx) {
		m.config.ClusterState = embed.ClusterStateFlagExisting
	}
	e, err := embed.StartEtcd(m.config)
	if err != nil {
		if strings.Contains(err.Error(), "already been bootstrapped") {
			err = errLostData
		}
		return fmt.Errorf("start the etcd member in %q: %w", m.config.Dir, err)
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
	closed, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		// HardStop ends the streams of clients, for which Close would wait five seconds. Stop would also
		// transfer the leadership for as long, which YieldLeadership has done.
		e.Server.HardStop()
		close(closed)
		e.Close()
	}()
	wait := failedStopTimeout
	if err == nil {
		<-closed
		wait = closeTimeout
	}
	if errors.Is(err, datadir.ErrReplaced) {
		wait = replacedStopTimeout
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select { // a failed member may be unable to stop
	case <-stopped:
	case <-timer.C:
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, datadir.ErrReplaced):
		return fmt.Errorf("the etcd member in %q has failed: %w; if its data is lost, the other members have it: run 'carillon member replace' on the machine of another member", m.config.Dir, err)
	}
	return fmt.Errorf("the etcd member in %q has failed; acknowledged data is safe: free space on its disk or repair the disk, and restart: %w", m.config.Dir, err)
}

// wait returns why e or the member cannot continue, or nil when ctx ends. Once a second it checks
// that the data directory is in place.
func (m *Member) wait(ctx context.Context, e *embed.Etcd) error {
	tick := time.NewTicker(datadir.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-e.Err():
			return err
		case <-e.Server.StopNotify():
			return errors.New("etcd has stopped: another member may have removed it from the cluster")
		case <-m.failed:
			return m.err
		case <-tick.C:
			if err := m.dataDir.Load().guard.Check(); err != nil {
				m.fail(err)
			}
		}
	}
}

// checkPresent fails the member if its data directory was replaced, and returns the error.
func (m *Member) checkPresent() error {
	err := m.dataDir.Load().guard.CheckLock()
	if err != nil {
		m.fail(err)
	}
	return err
}
