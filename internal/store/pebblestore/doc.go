// Package pebblestore is the store of one node: an embedded Pebble database in a folder of its own.
//
// What it promises:
//
//   - When Commit returns nil, the batch is in the log and the log is on the disk: it survives a power cut. What was
//     not acknowledged is there as a whole or not at all. A read may see a batch shortly before it is durable.
//   - One process to a folder. The folder's lock is the fence of a single writer, so a batch's fences are not looked at.
//     Commit returns nil only if, after its sync, the path still named the lock file that this process has locked: so
//     nothing is acknowledged after another folder has taken the place of this one, and a second process has that open.
//   - Memory is bounded: the block cache ([Config].CacheBytes), four memtables ([Config].MemTableBytes), the batches that callers hold
//     in Commit, and what open scans pin. It does not grow with what is stored.
//
// What it does when the disk fails. A table that cannot be written (a full disk) is tried again every second; meanwhile
// reads work, commits go on until the memtables are full and then wait. If the log, the manifest or the folder itself
// cannot be written or was replaced, or a table turns out to be damaged, the store has failed, for good: every call returns the reason,
// [Store.Wait] returns it too, and so does an Open that meets it, and not another byte is changed on the disk, so that
// nothing acknowledged can be lost to what Pebble does with half its state gone. A sync that went well is not believed
// if ext4 has given up its journal meanwhile. The way back is to mend the disk, Close, and Open again.
//
// What it does when the disk has lied. Every file has checksums, but Pebble takes what is damaged at the end of a manifest or
// of the newest log for torn by a power cut, and goes on without it. So Open looks first: a manifest must be what it was
// when something was last removed because of it (see seal), a log that was closed must have its end, and nothing may be
// missing of the newest log that a later write calls synced. A folder that fails is refused. What is left is the last
// group of writes of a log that was not closed: if it is not whole, Open warns; and if it is gone, byte for byte, nobody
// can know.
//
// Pebble's own way is to end the process. That is why its file system is wrapped here: see disk.
package pebblestore
