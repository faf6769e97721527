package etcdstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"carillon/internal/store"
)

// A Config says where an etcd is and what it allows. All but Endpoints may be left at zero.
type Config struct {
	// Endpoints are addresses of members, such as http://10.0.0.1:2379.
	Endpoints []string
	// KV is a member in this process, for the records; nil asks one of Endpoints. The rest of what is asked of etcd goes to
	// Endpoints all the same.
	KV etcdserverpb.KVServer
	// TLS is for endpoints that want it; nil is without.
	TLS *tls.Config
	// Username and Password are for an etcd that asks who is there.
	Username, Password string
	// Prefix is what all keys in etcd begin with; empty is "carillon/". Nothing else may use it.
	Prefix string
	// MaxTxnOps and MaxRequestBytes are what etcd allows of one transaction; 0 is what it allows by default, 128
	// operations and 1.5 MiB.
	MaxTxnOps, MaxRequestBytes int
	// Timeout is how long one call may wait for etcd; 0 is 5 s.
	Timeout time.Duration
	// Compact is how often the past is thrown away: what is older than that is gone. 0 is 5 min.
	Compact time.Duration
	// Watch is how often the members' sizes are looked at; 0 is 5 s.
	Watch time.Duration
	// Metrics is where the store's metrics are registered; nil is nowhere.
	Metrics prometheus.Registerer
}

const (
	defaultPrefix          = "carillon/"
	defaultMaxTxnOps       = 128
	defaultMaxRequestBytes = 3 << 19
	defaultTimeout         = 5 * time.Second
	defaultCompact         = 5 * time.Minute
	defaultWatch           = 5 * time.Second
)

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.MaxTxnOps == 0 {
		c.MaxTxnOps = defaultMaxTxnOps
	}
	if c.MaxRequestBytes == 0 {
		c.MaxRequestBytes = defaultMaxRequestBytes
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Compact == 0 {
		c.Compact = defaultCompact
	}
	if c.Watch == 0 {
		c.Watch = defaultWatch
	}
	return c
}

var _ store.Store = (*Store)(nil)

// A Store keeps the contract of [store.Store] on etcd. It is safe for concurrent use.
type Store struct {
	config      Config
	client      *clientv3.Client
	kv          clientv3.KV // for the records
	records     string      // the prefix of what the engine keeps
	log         *slog.Logger
	capacity    capacity
	progress    clock
	callsCtx    context.Context //nolint:containedctx // ends when no call waits for etcd any more
	cancelCalls context.CancelCauseFunc
}

// Open returns the store that cfg describes. It connects in the background: a call waits for that, as far as it waits at
// all. The caller closes it.
func Open(cfg Config, log *slog.Logger) (*Store, error) {
	cfg = cfg.withDefaults()
	const overhead = 512 << 10 // which etcd allows on top of a request
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            cfg.Endpoints,
		TLS:                  cfg.TLS,
		Username:             cfg.Username,
		Password:             cfg.Password,
		MaxCallSendMsgSize:   cfg.MaxRequestBytes + overhead,
		DialKeepAliveTime:    10 * time.Second, // gRPC allows no less
		DialKeepAliveTimeout: 3 * time.Second,  // also for what was sent and not received
		Logger:               zap.NewNop(),     // its errors are returned
		DialOptions:          []grpc.DialOption{grpc.WithConnectParams(connectParams())},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %q: %w", cfg.Endpoints, err)
	}
	return newStore(client, cfg, log), nil
}

// over returns the store that cfg, which has its defaults, describes, on a client that is the store's to close.
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

// Client returns the connection to etcd, which is the store's to close.
func (s *Store) Client() *clientv3.Client { return s.client }

var errGaveUp = errors.New("the node stops, and etcd has no leader")

// GiveUp has no call wait for etcd any more, now and later: they return an error, and those under way may be carried out.
// It is for who stops while etcd has no leader.
func (s *Store) GiveUp() { s.cancelCalls(errGaveUp) }

// Close ends the connection to etcd. Calls under way and later ones return an error.
func (s *Store) Close() error {
	if err := s.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("close the connection to etcd: %w", err)
	}
	return nil
}

// bounded returns a context that ends when an answer of etcd is no longer waited for.
func (s *Store) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.callsCtx, func() { cancel(context.Cause(s.callsCtx)) })
	ctx, timeout := context.WithTimeoutCause(ctx, s.config.Timeout, fmt.Errorf("etcd gave no answer within %v", s.config.Timeout))
	return ctx, func() { stop(); timeout(); cancel(nil) }
}

// explain returns err, met by a call with ctx from bounded, or the reason why ctx ended.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}
