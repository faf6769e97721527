package etcdstore

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"carillon/internal/job"
)

// A room is what the store knows of the space that etcd has left.
type capacity struct {
	full atomic.Pointer[job.FullError] // nil as long as there is room
	wake chan struct{}                 // holds one word that it should be looked at soon

	file, used, quota *prometheus.GaugeVec // nil if nobody sees them
}

// Full returns why nothing new should be stored, or nil: etcd has less room left than an eighth of its quota, and until
// there is a quarter more than that; or an alarm is on, which stops every write. It is kept up to date by Run.
func (s *Store) Full() error {
	if err := s.capacity.full.Load(); err != nil {
		return err
	}
	return nil
}

// exceeded notes that etcd has refused a write.
func (r *capacity) exceeded() {
	r.full.Store(&job.FullError{Reason: "etcd's quota is exceeded: delete jobs, or restart each node with a larger quota"})
	select {
	case r.wake <- struct{}{}:
	default: // it will be looked at
	}
}

func (r *capacity) register(to prometheus.Registerer) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "carillon_etcd_" + name, Help: help}, []string{"member"})
		to.MustRegister(g)
		return g
	}
	r.file = gauge("file_bytes", "How large the database of a member of etcd is.")
	r.used = gauge("used_bytes", "How much of its database a member of etcd uses.")
	r.quota = gauge("quota_bytes", "How large the database of a member of etcd may become; 0 if it does not say.")
	full := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "carillon_store_full", Help: "Whether new jobs are refused for want of room, 1 or 0.",
	}, func() float64 {
		if r.full.Load() != nil {
			return 1
		}
		return 0
	})
	to.MustRegister(full)
}

// A usage is how much room one member has.
type memberStatus struct {
	id       uint64
	name     string
	endpoint string
	leader   bool

	file, used, quota int64 // bytes; quota is 0 if the member does not say
}

// short reports whether u leaves less than that many sixty-fourths of its quota unused, or has hardly any room to grow.
func (u memberStatus) nearlyFull(parts int64) bool {
	return u.quota > 0 && (u.quota-u.used < u.quota/64*parts || u.quota-u.file < u.quota/32)
}

// shortage says in figures that u is short.
func (u memberStatus) fullError() *job.FullError {
	return &job.FullError{Reason: fmt.Sprintf("the etcd of %s uses %d MiB of its quota of %d MiB; new jobs are refused when less than an eighth, %d MiB, is left, and accepted again with a quarter more: delete jobs, or restart each node with a larger quota",
		u.name, u.used>>20, u.quota>>20, u.quota>>23)}
}

// worthwhile is how many bytes of a file must be empty for it to be written afresh, however far its quota is.
const minReclaim = 256 << 20

// sparse reports whether it is worth while to write u's file afresh: it nears its quota, and enough of it is empty; or
// most of it is.
func (u memberStatus) fragmented() bool {
	if u.quota == 0 {
		return false
	}
	empty := u.file - u.used
	return u.file > u.quota/4*3 && empty > u.file/4 || u.file > u.quota/16*15 && empty > u.quota/16 ||
		empty > minReclaim && empty > u.file/2
}

// roomy reports whether u has room enough for its alarm to be lifted, whose file was once so large. One that does not say
// its quota has, if an eighth has been gained since.
func (u memberStatus) belowQuota(was int64) bool {
	if u.quota == 0 {
		return u.file < was-was/8
	}
	return u.file < u.quota-u.quota/32
}

// relieved reports whether u's alarm could be lifted if its file were written afresh, and cannot otherwise.
func (u memberStatus) relievedByDefrag() bool {
	afresh := u
	afresh.file = u.used + u.used/64
	return !u.belowQuota(u.file) && afresh.belowQuota(u.file)
}

// A look is what was found out about etcd's room.
type status struct {
	revision int64
	members  []memberStatus // those that answer, the leader last
	alarms   []*etcdserverpb.AlarmMember
}

// look asks etcd about its room, and notes whether there is enough.
func (s *Store) checkCapacity(ctx context.Context) (status, error) {
	l, err := s.readStatus(ctx)
	if err != nil {
		return status{}, fmt.Errorf("look at etcd's room: %w", err)
	}
	parts, was := int64(8), s.Full() != nil
	if was {
		parts = 10
	}
	var full *job.FullError
	if len(l.alarms) > 0 {
		full = &job.FullError{Reason: "etcd has raised the alarm that its quota is exceeded: delete jobs, or restart each node with a larger quota"}
	}
	for _, u := range l.members {
		if full == nil && u.nearlyFull(parts) {
			full = u.fullError()
		}
		if s.capacity.file != nil {
			s.capacity.file.WithLabelValues(u.name).Set(float64(u.file))
			s.capacity.used.WithLabelValues(u.name).Set(float64(u.used))
			s.capacity.quota.WithLabelValues(u.name).Set(float64(u.quota))
		}
	}
	s.capacity.full.Store(full)
	switch {
	case full != nil && !was:
		s.log.LogAttrs(ctx, slog.LevelWarn, "etcd is full: new jobs are refused", l.attrs()...)
	case full == nil && was:
		s.log.LogAttrs(ctx, slog.LevelInfo, "etcd has room again: new jobs are accepted", l.attrs()...)
	}
	return l, nil
}

func (l status) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.Int("alarms", len(l.alarms))}
	for _, u := range l.members {
		attrs = append(attrs, slog.Group(u.name,
			slog.Int64("file_bytes", u.file), slog.Int64("used_bytes", u.used), slog.Int64("quota_bytes", u.quota)))
	}
	return attrs
}

// ask asks every member. One that does not answer is left out: without room it says so by an alarm.
func (s *Store) readStatus(ctx context.Context) (status, error) {
	ctx, cancel := s.withTimeout(ctx)
	defer cancel()
	members, err := s.client.MemberList(ctx)
	if err != nil {
		return status{}, explain(ctx, err)
	}
	alarms, err := s.client.AlarmList(ctx)
	if err != nil {
		return status{}, explain(ctx, err)
	}
	var l status
	for _, a := range alarms.Alarms {
		if a.Alarm == etcdserverpb.AlarmType_NOSPACE {
			l.alarms = append(l.alarms, a)
		}
	}
	var leader []memberStatus
	for _, m := range members.Members {
		u, revision, err := s.readMember(ctx, m)
		switch {
		case err != nil:
			s.log.LogAttrs(ctx, slog.LevelDebug, "a member of etcd does not say how much room it has",
				slog.String("member", m.Name), slog.Any("err", err))
		case u.leader:
			leader = append(leader, u)
		default:
			l.members = append(l.members, u)
		}
		l.revision = max(l.revision, revision)
	}
	l.members = append(l.members, leader...)
	return l, nil
}

func (s *Store) readMember(ctx context.Context, m *etcdserverpb.Member) (memberStatus, int64, error) {
	if len(m.ClientURLs) == 0 {
		return memberStatus{}, 0, fmt.Errorf("%q has told no address for clients", m.Name)
	}
	st, err := s.client.Status(ctx, m.ClientURLs[0])
	if err != nil {
		return memberStatus{}, 0, explain(ctx, err)
	}
	if st.Header.MemberId != m.ID {
		return memberStatus{}, 0, fmt.Errorf("the address %s that %q tells leads to another member from here", m.ClientURLs[0], m.Name)
	}
	return memberStatus{
		id: m.ID, name: m.Name, endpoint: m.ClientURLs[0], leader: st.Leader == m.ID,
		file: st.DbSize, used: st.DbSizeInUse, quota: max(0, st.DbSizeQuota),
	}, st.Header.Revision, nil
}
