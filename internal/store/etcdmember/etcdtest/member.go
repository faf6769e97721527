package etcdtest

import "carillon/internal/memnet"

// Member is a member that a [Memory] announces, with the size of its database. The test chooses the
// sizes: they do not depend on the keys, which all members share.
type Member struct {
	Name  string // also the host of its address, http://Name:2379; "" has no address
	Leads bool
	Quota int64 // bytes; 0: not reported
	File  int64 // size of the database in bytes
	Used  int64 // bytes in use of File; Live is what remains after a compaction
	Live  int64
	// Alarm is on when the member's quota is exceeded. While one member has an alarm, all members
	// refuse writes that need space.
	Alarm bool
	// Absent makes the member not respond.
	Absent bool
}

// memberServer serves a member.
type memberServer struct {
	Member
	id       uint64
	listener *memnet.Listener
}
