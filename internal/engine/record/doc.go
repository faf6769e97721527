// Package record encodes what is stored about jobs: keys, records and the envelopes around sealed
// records.
//
// A store holds three entries for each job: its spec, its state once an occurrence has been settled
// or tried, and one entry of the due index. The due index is ordered by partition, target and due
// instant; its entries have no value. A few further keys describe the store itself.
//
// Every record begins with the version of its format. This package reads each version that was ever
// released; testdata/golden keeps one record of each. It writes the oldest version that can express
// the record, so that earlier releases can read it too.
//
// Nodes of a cluster send jobs to one another in the same encoding: see [EncodeRequest].
//
// The package is pure, except for [EncryptedStore], which reads and writes through another store.
package record
