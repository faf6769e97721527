package etcdmember

import (
	"go.etcd.io/etcd/server/v3/storage/wal"

	"carillon/internal/store/diskspace"
)

// A disk that is smaller than smallDisk gets smaller files of the log, and a quota. Etcd makes a file of the log, and the next
// one, as large as it may become, which is 64 MB; and it gives no room back from its data unless a quota says that there is
// too little.
const (
	smallDisk = 1 << 30
	walPart   = 64 // of the disk, which a file of the log takes
	quotaPart = 3  // of the disk, which the data may take: twice that while it is defragmented
)

// fit returns c with what a disk of that size, in bytes, allows. The size of the log's files holds for the process; only those
// of a small disk change it.
func (c Config) withDiskLimits(u diskspace.Usage) Config {
	if u.Total == 0 || u.Total >= smallDisk {
		return c
	}
	wal.SegmentSizeBytes = min(wal.SegmentSizeBytes, int64(u.Total/walPart))
	if most := int64(u.Total / quotaPart); c.QuotaBytes <= 0 || c.QuotaBytes > most {
		c.QuotaBytes = most
	}
	return c
}
