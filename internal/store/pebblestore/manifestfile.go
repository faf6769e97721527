package pebblestore

// manifestFile is a manifest that is being written. Only its writer uses prefix.
type manifestFile struct {
	*criticalFile
	name   string
	prefix prefixSum
}

// Write implements [vfs.File].
func (f *manifestFile) Write(p []byte) (int, error) {
	f.prefix.add(p) // before it is written: what is below may change p
	return f.criticalFile.Write(p)
}

// Sync implements [vfs.File].
func (f *manifestFile) Sync() error {
	_ = f.criticalFile.Sync() // an error fails the disk
	if f.disk.failure() == nil {
		f.disk.checksum.manifestSynced(f.name, f.prefix)
	}
	return nil
}

// SyncData implements [vfs.File].
func (f *manifestFile) SyncData() error { return f.Sync() }
