// Package pebblestore is the store of a single node: an embedded Pebble database in its own
// directory.
//
// What it promises:
//
//   - When Commit returns nil, the batch is in the log and the log is on disk: it survives a power
//     cut. A batch that was not acknowledged is applied as a whole or not at all. A read may see a
//     batch shortly before it is durable.
//   - One process per directory. The lock of the directory is the fence of its single writer, so
//     batches have no fences. Commit returns nil only if, after its sync, the path still names the
//     lock file that this process has locked. So nothing is acknowledged after the directory was
//     replaced, even if a second process has opened the new one.
//   - Memory is bounded: the block cache ([Config].CacheBytes), four memtables
//     ([Config].MemTableBytes), the batches of concurrent commits, and what open scans pin. It
//     does not grow with the stored data.
//
// When the disk fails: if a table cannot be written, because the disk is full, Pebble retries every
// second. Meanwhile reads work, and commits work until the memtables are full; then they wait. If
// the log, the manifest or the directory cannot be written or was replaced, or a table is damaged,
// the store fails for good. Then every call and [Store.Wait] return the reason, as does an Open in
// progress, and nothing on the disk changes any more: Pebble, with half of its state lost, cannot
// destroy acknowledged data. A successful sync is not trusted if ext4 has aborted its journal
// meanwhile. To recover, repair the disk, Close, and Open again.
//
// When the disk has lost or changed data: every file has checksums, but Pebble takes damage at the
// end of a manifest or of the newest log for a write torn by a power cut, and continues without it.
// So Open checks first. A manifest must begin with what it was when a file was last removed because
// of it (see manifestChecksum), a closed log must have its end, and the newest log must have
// everything that a later write in it calls synced. A directory that fails these checks is refused.
// One case remains: the last group of writes of a log that was not closed. If it is incomplete,
// Open warns; if it is missing without a trace, it cannot be detected.
//
// Pebble itself would end the process on such failures. To prevent that, its file system is
// wrapped: see disk.
package pebblestore
