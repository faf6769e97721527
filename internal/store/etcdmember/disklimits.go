package etcdmember

import (
	"go.etcd.io/etcd/server/v3/storage/wal"

	"carillon/internal/store/diskspace"
)

// On a disk smaller than smallDisk, WAL files are smaller and the database has a quota. Etcd
// preallocates the current and the next WAL file, 64 MB each by default; and it frees no space in
// its database unless a quota is exceeded.
const (
	smallDisk = 1 << 30
	walPart   = 64 // fraction of the disk of a WAL file
	quotaPart = 3  // fraction of the disk of the database, which doubles during a defragmentation
)

// withDiskLimits returns c with the limits of a disk of that size in bytes. The size of WAL files
// is a global variable of etcd; only small disks change it.
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
