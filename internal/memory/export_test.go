package memory

import (
	"fmt"
	"io/fs"
	"strconv"
)

// FindIn is Find for a machine that cgroup, machine and root describe.
func FindIn(given int64, cgroup, machine func() (uint64, error), root fs.FS) Limit {
	return find(given, cgroup, machine, root)
}

// Table returns the lines of figures in docs/bounds.md.
func Table() []string {
	size := func(of func(Shares) int64) func(Shares) string {
		return func(s Shares) string { return Format(of(s)) }
	}
	count := func(of func(Shares) int) func(Shares) string {
		return func(s Shares) string {
			n := of(s)
			if n < 1000 {
				return strconv.Itoa(n)
			}
			return fmt.Sprintf("%d,%03d", n/1000, n%1000)
		}
	}
	var lines []string
	for _, row := range []struct {
		name string
		kind ProcessKind
		cell func(Shares) string
	}{
		{"scheduler: Go's runtime", Scheduler, size(func(s Shares) int64 { return s.GoLimit })},
		{"scheduler: block cache, memtables included", Scheduler, size(func(s Shares) int64 { return s.Cache })},
		{"scheduler: one memtable", Scheduler, size(func(s Shares) int64 { return s.MemTable })},
		{"scheduler: triggers in flight", Scheduler, count(func(s Shares) int { return s.InFlight })},
		{"scheduler: data of triggers to be sent", Scheduler, size(func(s Shares) int64 { return s.Payloads })},
		{"scheduler: requests", Scheduler, size(func(s Shares) int64 { return s.Bodies })},
		{"scheduler: lists", Scheduler, size(func(s Shares) int64 { return s.Lists })},
		{"with etcd: Go's runtime", SchedulerWithEtcd, size(func(s Shares) int64 { return s.GoLimit })},
		{"with etcd: live objects before new jobs are refused", SchedulerWithEtcd, size(func(s Shares) int64 { return s.LiveHeap })},
		{"with etcd: etcd's log", SchedulerWithEtcd, size(func(s Shares) int64 { return s.RaftLog })},
		{"with etcd: transactions in that log", SchedulerWithEtcd, count(func(s Shares) int { return s.RaftEntries })},
		{"with etcd: commands in one commit", SchedulerWithEtcd, size(func(s Shares) int64 { return s.Commit })},
		{"with etcd: changes until its data file is written", SchedulerWithEtcd, count(func(s Shares) int { return s.BackendBatch })},
		{"with etcd: triggers in flight", SchedulerWithEtcd, count(func(s Shares) int { return s.InFlight })},
		{"sidecar: Go's runtime", Sidecar, size(func(s Shares) int64 { return s.GoLimit })},
		{"sidecar: triggers in flight", Sidecar, size(func(s Shares) int64 { return s.SidecarTriggers })},
		{"sidecar: bodies of calls in flight", Sidecar, size(func(s Shares) int64 { return s.SidecarCalls })},
	} {
		line := "| " + row.name
		for _, n := range []int64{128 * mib, 256 * mib, gib, Default} {
			s, err := Limit{n, "a test"}.Divide(row.kind)
			if err != nil {
				panic(err)
			}
			line += " | " + row.cell(s)
		}
		lines = append(lines, line+" |")
	}
	return lines
}
