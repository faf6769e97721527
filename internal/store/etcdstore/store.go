package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"carillon/internal/store"
)

var _ store.Store = (*Store)(nil)

// Store is a [store.Store] on etcd. It is safe for concurrent use.
type Store struct {
	config      Config
	client      *clientv3.Client
	kv          clientv3.KV // for the records
	records     string      // prefix of the engine's records
	log         *slog.Logger
	capacity    capacity
	progress    clock
	callsCtx    context.Context // //nolint:containedctx // ends after GiveUp, and with it all calls
	cancelCalls context.CancelCauseFunc
}

// Open returns the store of cfg. It connects in the background; calls wait for the connection
// within their timeout. The caller closes the store.
func Open(cfg Config, log *slog.Logger) (*Store, error) {
	cfg = cfg.withDefaults()
	const overhead = 512 << 10 // etcd allows it beyond MaxRequestBytes
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            cfg.Endpoints,
		TLS:                  cfg.TLS,
		Username:             cfg.Username,
		Password:             cfg.Password,
		MaxCallSendMsgSize:   cfg.MaxRequestBytes + overhead,
		DialKeepAliveTime:    10 * time.Second, // gRPC allows no less
		DialKeepAliveTimeout: 3 * time.Second,  // also of data that was sent and not acknowledged
		Logger:               zap.NewNop(),     // its errors are returned
		DialOptions:          []grpc.DialOption{grpc.WithConnectParams(connectParams())},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %q: %w", cfg.Endpoints, err)
	}
	return newStore(client, cfg, log), nil
}

// newStore returns the store of cfg, with defaults set, on a client that the store closes.
func newStore(client *clientv3.Client, cfg Config, log *slog.Logger) *Store {
	s := &Store{
		config: cfg, client: client, kv: client.KV, records: cfg.Prefix + "d/",
		log: log.With(slog.String("component", "etcdstore")),
	}
	if cfg.KV != nil {
		s.kv = clientv3.NewKVFromKVClient(adapter.KvServerToKvClient(cfg.KV), client)
	}
	s.capacity.wake = make(chan struct{}, 1)
	s.callsCtx, s.cancelCalls = context.WithCancelCause(client.Ctx())
	if cfg.Metrics != nil {
		s.capacity.register(cfg.Metrics)
	}
	return s
}

// Client returns the connection to etcd. The store closes it.
func (s *Store) Client() *clientv3.Client { return s.client }

// Close closes the connection to etcd. Calls in progress and later ones return an error.
func (s *Store) Close() error {
	if err := s.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("close the connection to etcd: %w", err)
	}
	return nil
}
