package etcdstore

import (
	"fmt"

	"carillon/internal/job"
)

// memberSize is the size of the database of one member.
type memberSize struct {
	id       uint64
	name     string
	endpoint string
	leader   bool

	file, used, quota int64 // bytes; quota is 0 if the member does not report it
}

// nearlyFull reports whether less than parts/64 of the quota is free, or the file has hardly any
// space to grow.
func (u memberSize) nearlyFull(parts int64) bool {
	return u.quota > 0 && (u.quota-u.used < u.quota/64*parts || u.quota-u.file < u.quota/32)
}

// fullError describes a member that is nearly full.
func (u memberSize) fullError() *job.FullError {
	return &job.FullError{Reason: fmt.Sprintf("the etcd of %s uses %d MiB of its quota of %d MiB; new jobs are refused when less than an eighth (%d MiB) is free, and accepted again with a quarter more: delete jobs, or restart each node with a larger quota",
		u.name, u.used>>20, u.quota>>20, u.quota>>23)}
}

// minReclaim is the number of free bytes in a file from which defragmentation is worthwhile,
// however large the quota is.
const minReclaim = 256 << 20

// fragmented reports whether defragmentation is worthwhile: the file is near its quota and enough
// of it is free, or most of it is free.
func (u memberSize) fragmented() bool {
	if u.quota == 0 {
		return false
	}
	empty := u.file - u.used
	return u.file > u.quota/4*3 && empty > u.file/4 || u.file > u.quota/16*15 && empty > u.quota/16 ||
		empty > minReclaim && empty > u.file/2
}

// belowQuota reports whether the member has enough space to disarm its alarm. before is the size of
// its file before the defragmentation: a member without a known quota must have gained an eighth.
func (u memberSize) belowQuota(before int64) bool {
	if u.quota == 0 {
		return u.file < before-before/8
	}
	return u.file < u.quota-u.quota/32
}

// relievedByDefrag reports whether the alarm could be disarmed after a defragmentation, and not
// now.
func (u memberSize) relievedByDefrag() bool {
	defragmented := u
	defragmented.file = u.used + u.used/64
	return !u.belowQuota(u.file) && defragmented.belowQuota(u.file)
}
