package pebblestore

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"carillon/internal/store/diskspace"
)

// Open opens the store in cfg.Dir, which no other process may have open. Pebble's events go to log.
// Only Close releases the directory.
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
	s := &Store{dir: dir, db: db, disk: d, health: health, noTickers: cfg.NoTickers, applying: make(chan struct{}, 1)}
	s.space = diskspace.New(func() (diskspace.Usage, error) { return d.usage(dir) }, log)
	if err := s.startNewLog(); err != nil {
		return nil, withAdvice(errors.Join(err, s.Close()))
	}
	if d.tornLog != nil {
		log.Warn("the store's log ends with an incomplete write", slog.Any("err", d.tornLog))
	}
	return s, nil
}

// startNewLog starts a new log. The manifest then names it as the first one to replay, so a missing
// log is detected. The first log of a new store would otherwise have an old format without sync
// positions.
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
