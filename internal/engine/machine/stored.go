package machine

import "carillon/internal/engine/record"

// A Stored is what the caller has read about a job: its record, and its entries in the due index.
type Stored struct {
	record.Record

	Obsolete bool           // the entry that is due is not the job's, which has another one
	Strays   []record.Entry // entries of a job that cannot be read, for a command about it
}
