package forward

import (
	"fmt"

	"carillon/internal/cluster"
	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// checkReadable returns an error if a member cannot read the job of the request: any member may own
// it next.
func checkReadable(oldest cluster.Node, q *job.Request) error {
	readable := max(1, oldest.Format) // a node that does not say reads the first format
	if q.Remove || readable >= record.Format {
		return nil
	}
	format := record.FormatOf(&q.Spec)
	if format <= readable {
		return nil
	}
	return fmt.Errorf("the job needs record format %d, and node %s, which runs an older version, reads only up to %d: upgrade that node first: %w",
		format, oldest.ID, readable, job.ErrUnavailable)
}
