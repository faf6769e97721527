package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store"
	"carillon/internal/store/datadir"
	"carillon/internal/store/diskspace"
)

// A Config says where a store is and what it may use. All but Dir may be left at zero.
type Config struct {
	// Dir is the folder, made if it is missing. It must be on a file system that keeps what it has synced.
	Dir string
	// FS is the file system that holds Dir; nil is the machine's own.
	FS vfs.FS
	// CacheBytes bounds the cache of blocks read from tables; 0 is 64 MiB.
	CacheBytes int64
	// MemTableBytes is the size of a memtable, of which there are up to four; 0 is 16 MiB. They are taken out of CacheBytes
	// as far as it goes. A batch of more than half of one is slower than others. On a disk of less than 1 GiB one is smaller, a
	// 64th of the disk.
	MemTableBytes int64
	// MaxFiles is how many files the store has open at most, about; 0 is 1,000. The least that it works with is 74.
	MaxFiles int
	// NoTickers opens the store without Pebble's periodic work: the watch for a slow disk, and a look ten times a second
	// whether a compaction may start (one starts after a flush all the same). For tests in fake time, where a ticker is
	// all that keeps years from passing at once.
	NoTickers bool
}

var _ store.Store = (*Store)(nil)

// A Store is a Pebble database that keeps the contract of [store.Store]. It is safe for concurrent use.
type Store struct {
	dir   string
	db    *pebble.DB
	disk  *disk
	space *diskspace.Watch
	// health watches the disk while the store is open.
	health io.Closer
	// turn is held while a batch enters the log and the memtable, not while it waits for the disk: so the batches of
	// many callers share one sync.
	applying chan struct{}

	mu     sync.Mutex
	closed bool           // guarded by mu
	calls  sync.WaitGroup // calls under way; Add under mu, before closed
}

// errClosed is what calls return after Close.
var errClosed = errors.New("the store is closed")

// Open opens the store in cfg.Dir, which no other process may have open; Pebble's events go to log. Only Close lets
// the folder go.
func Open(cfg Config, log *slog.Logger) (*Store, error) {
	s, err := open(cfg, log)
	if err != nil {
		return nil, fmt.Errorf("open the store in %q: %w", cfg.Dir, err)
	}
	return s, nil
}

func open(cfg Config, log *slog.Logger) (*Store, error) {
	dir, d, err := locate(cfg)
	if err != nil {
		return nil, err
	}
	if err := checkDir(d, dir); err != nil {
		return nil, err
	}
	if cfg.FS == nil {
		restrictDir(dir)
	}
	log = log.With(slog.String("component", "pebblestore"))
	opts, health := options(cfg, dir, d, log)
	db, err := pebble.Open(dir, opts)
	if err != nil {
		err = errors.Join(d.failure(), err, d.checksum.close(), d.guard.Close(), health.Close())
		if cfg.FS == nil {
			if why := makeDirError(dir); why != nil {
				return nil, why
			}
		}
		return nil, withAdvice(err)
	}
	d.markOpen()
	s := &Store{dir: dir, db: db, disk: d, health: health, applying: make(chan struct{}, 1)}
	s.space = diskspace.New(func() (diskspace.Usage, error) { return d.usage(dir) }, log)
	if err := s.startNewLog(); err != nil {
		return nil, withAdvice(errors.Join(err, s.Close()))
	}
	if d.tornLog != nil {
		log.Warn("the end of the store's log is not whole", slog.Any("err", d.tornLog))
	}
	return s, nil
}

// Full returns why nothing new should be stored, because the disk has too little left for that, or nil: see [diskspace.Watch].
func (s *Store) Full() error { return s.space.Full() }

// begin begins a log, which the manifest then names as the first of those that matter: so it is missed if it is gone.
// Pebble begins the first log of a new store in an old format, besides, which does not say how far it was synced.
func (s *Store) startNewLog() error {
	if err := s.disk.failure(); err != nil {
		return err
	}
	done, err := s.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-done:
	case <-s.disk.failed:
	}
	return s.disk.failure()
}

// Close waits for the calls under way, scans included, and lets the folder go. Later calls return an error.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.disk.cancelRetries()
	s.calls.Wait()
	err := errors.Join(s.db.Close(), s.disk.checksum.close(), s.disk.guard.Close(), s.health.Close())
	// What Pebble says about closing on a disk that has failed is an echo of the failure, which the calls returned.
	if err != nil && s.disk.failure() == nil {
		return fmt.Errorf("close the store in %q: %w", s.dir, err)
	}
	return nil
}

// Wait blocks until the store has failed and returns why, or returns nil when ctx ends. Nothing that was acknowledged
// is lost by a failure; see the package comment for the way back. While it blocks, it looks once a second whether the
// folder is still where it was opened, and has a full disk get back the room of what was deleted.
func (s *Store) Wait(ctx context.Context) error {
	var look <-chan time.Time
	if s.disk.guard != nil {
		t := time.NewTicker(datadir.Interval)
		defer t.Stop()
		look = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.disk.failed:
			return s.failure()
		case <-look:
			if err := s.disk.checkPresent(); err != nil {
				s.disk.fail(err)
			}
			if s.Full() != nil {
				s.reclaim(ctx)
			}
		}
	}
}

// reclaim has Pebble write out which records were deleted, if any were since: they take their room until then, which may be
// never when nothing else is written. Pebble makes it free in the background.
func (s *Store) reclaim(ctx context.Context) {
	if err := s.beginCall(ctx); err == nil {
		defer s.calls.Done()
		_, _ = s.db.AsyncFlush() // an error is of the disk, and known
	}
}

// enter begins a call: it returns an error if there is no store to serve it. The caller must say s.calls.Done() in the
// end.
func (s *Store) beginCall(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.failure(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.calls.Add(1)
	return nil
}

// failure returns why the store has failed, or nil.
func (s *Store) failure() error {
	switch err := s.disk.failure(); {
	case errors.Is(err, datadir.ErrReplaced):
		return fmt.Errorf("the store in %q has failed: %w", s.dir, err)
	case err != nil:
		return fmt.Errorf("the store in %q has failed and must be opened again, what it acknowledged is safe: %w", s.dir, err)
	}
	return nil
}
