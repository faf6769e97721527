package storecmd

import (
	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/terminal"
)

// NewQuarantine returns the commands for the entries of a store that a scheduler cannot use.
func NewQuarantine(std *terminal.Streams) *cobra.Command {
	return command.Group(&cobra.Command{
		Use:   "quarantine",
		Short: "list, export or delete damaged entries of a store",
		Long: `Shows the quarantine of a store, and takes entries out of it: those that a scheduler cannot use and skips, damaged keys and records, entries of the
due index without a job, jobs without an entry. All other jobs are unaffected. Each entry has an id, for exporting its value
to a file or deleting it. You can also schedule a damaged job again with overwrite, or delete it, through the API. A single
scheduler must be stopped: its data directory is read. A cluster is read while it runs, through the etcd of this machine. The
log, the health and the metric carillon_quarantined of a running scheduler show the same. Give the key file if jobs are
encrypted: without it their payloads are not checked.`,
		Example: `  carillon quarantine list --data-dir /var/lib/carillon/carillon
  carillon quarantine export 3f2a91c07be44d18 job.bin --etcd http://localhost:2379`,
	}, newQuarantineList(std), newQuarantineExport(std), newQuarantineDelete(std))
}
