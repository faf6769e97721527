package etcdstore

import (
	"context"
	"fmt"
	"log/slog"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"carillon/internal/job"
)

// status is the state of all members at one time.
type status struct {
	revision int64
	members  []memberSize // the members that responded, the leader last
	alarms   []*etcdserverpb.AlarmMember
}

// anyFragmented reports whether a member is fragmented.
func (l status) anyFragmented() bool {
	for _, u := range l.members {
		if u.fragmented() {
			return true
		}
	}
	return false
}

func (l status) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.Int("alarms", len(l.alarms))}
	for _, u := range l.members {
		attrs = append(attrs, slog.Group(u.name,
			slog.Int64("file_bytes", u.file), slog.Int64("used_bytes", u.used), slog.Int64("quota_bytes", u.quota)))
	}
	return attrs
}

// checkCapacity reads the status of etcd and updates Full and the metrics.
func (s *Store) checkCapacity(ctx context.Context) (status, error) {
	l, err := s.readStatus(ctx)
	if err != nil {
		return status{}, fmt.Errorf("check the free space in etcd: %w", err)
	}
	parts, was := int64(8), s.Full() != nil
	if was {
		parts = 10
	}
	var full *job.FullError
	if len(l.alarms) > 0 {
		full = &job.FullError{Reason: "etcd's quota is exceeded and its alarm is on: delete jobs, or restart each node with a larger quota"}
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
		s.log.LogAttrs(ctx, slog.LevelInfo, "etcd has free space again: new jobs are accepted", l.attrs()...)
	}
	return l, nil
}

// readStatus reads the status of each member. It skips a member that does not respond: an alarm
// shows its lack of space.
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
	var leader []memberSize
	for _, m := range members.Members {
		u, revision, err := s.readMember(ctx, m)
		switch {
		case err != nil:
			s.log.LogAttrs(ctx, slog.LevelDebug, "cannot read the status of an etcd member",
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

// readMember reads the status of one member, and its revision.
func (s *Store) readMember(ctx context.Context, m *etcdserverpb.Member) (memberSize, int64, error) {
	if len(m.ClientURLs) == 0 {
		return memberSize{}, 0, fmt.Errorf("%q advertises no address for clients", m.Name)
	}
	st, err := s.client.Status(ctx, m.ClientURLs[0])
	if err != nil {
		return memberSize{}, 0, explain(ctx, err)
	}
	if st.Header.MemberId != m.ID {
		return memberSize{}, 0, fmt.Errorf("the address %s that %q advertises is of another member", m.ClientURLs[0], m.Name)
	}
	return memberSize{
		id: m.ID, name: m.Name, endpoint: m.ClientURLs[0], leader: st.Leader == m.ID,
		file: st.DbSize, used: st.DbSizeInUse, quota: max(0, st.DbSizeQuota),
	}, st.Header.Revision, nil
}

// Full returns why no new jobs should be stored, or nil. It reports an alarm, which stops every
// write, and a member with less than an eighth of its quota free, until a quarter more than that is
// free. Run keeps it up to date.
func (s *Store) Full() error {
	if err := s.capacity.full.Load(); err != nil {
		return err
	}
	return nil
}
