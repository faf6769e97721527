package nodecmd

import (
	"os"
	"slices"
)

// Subdirectories of --etcd-data-dir: the store of a single node, and the etcd member of a cluster's node.
const (
	SingleDir = "carillon"
	MemberDir = "carillon-etcd"
)

// HasData reports whether the directory has any file other than the lock file, which a failed start leaves.
func HasData(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != "LOCK" })
}
